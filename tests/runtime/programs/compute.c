// Work without host calls: SHA-256 over a buffer, then lists, matrices and a state machine as CoreMark has.
#include <stdint.h>
#include <string.h>

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
static uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static uint32_t turned(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void block(const uint32_t *message) {
    uint32_t w[64], v[8];
    memcpy(w, message, 64);
    for (int i = 16; i < 64; i++)
        w[i] = w[i - 16] + w[i - 7] + (turned(w[i - 15], 7) ^ turned(w[i - 15], 18) ^ w[i - 15] >> 3) +
               (turned(w[i - 2], 17) ^ turned(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(v, state, 32);
    for (int i = 0; i < 64; i++) {
        uint32_t a = v[7] + (turned(v[4], 6) ^ turned(v[4], 11) ^ turned(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + w[i];
        uint32_t b = (turned(v[0], 2) ^ turned(v[0], 13) ^ turned(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 28);
        v[4] += a;
        v[0] = a + b;
    }
    for (int i = 0; i < 8; i++)
        state[i] += v[i];
}

struct node { struct node *next; int value; };

static int lists(void) {
    static struct node nodes[500];
    struct node *head = 0;
    int sum = 0;
    for (int i = 0; i < 500; i++) {
        nodes[i] = (struct node){head, i * 7919 % 500};
        head = &nodes[i];
    }
    for (struct node *one = head; one; one = one->next)
        for (struct node *two = one->next; two; two = two->next)
            if (two->value < one->value) {
                int value = one->value;
                one->value = two->value;
                two->value = value;
            }
    for (; head; head = head->next)
        sum = sum * 31 + head->value;
    return sum;
}

static int matrices(void) {
    static int a[48][48], b[48][48], c[48][48];
    for (int i = 0; i < 48; i++)
        for (int j = 0; j < 48; j++)
            a[i][j] = i ^ j, b[i][j] = i * j, c[i][j] = 0;
    for (int i = 0; i < 48; i++)
        for (int j = 0; j < 48; j++)
            for (int k = 0; k < 48; k++)
                c[i][j] += a[i][k] * b[k][j];
    return c[17][31];
}

static int machine(void) {
    static const char text[] = "12,-3.5e7,+8,0x1f,nan,77.,..5,1e-9,abc,42";
    int at = 0, changes = 0;
    for (int round = 0; round < 200; round++)
        for (const char *c = text; *c; c++) {
            int next = *c >= '0' && *c <= '9' ? 1 : *c == ',' ? 0 : *c == '.' ? 2 : *c == 'e' ? 3 : *c == '-' || *c == '+' ? 4 : 5;
            changes += next != at;
            at = next;
        }
    return changes;
}

int main(void) {
    static uint32_t message[16];
    int sum = 0;
    for (int i = 0; i < 100000; i++) {
        message[i % 16] += (uint32_t)i;
        block(message);
    }
    for (int i = 0; i < 60; i++)
        sum += lists() ^ matrices() ^ machine();
    message[0] = state[0] ^ (uint32_t)sum;
    return message[0] == 1;
}
