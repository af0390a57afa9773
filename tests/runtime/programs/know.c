// Writes its first argument to /attest/data and copies the files that the others name to standard output.
#include <stdio.h>
#include <string.h>
#include <errno.h>

int main(int argc, char **argv) {
    FILE *data = fopen("/attest/data", "w");
    if (data != NULL) {
        fputs(argv[1], data);
        fclose(data);
    }
    for (int i = 2; i < argc; i++) {
        char buffer[256];
        size_t got;
        FILE *file = fopen(argv[i], "r");
        if (file == NULL) {
            printf("%s\n", strerror(errno));
            continue;
        }
        while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
            fwrite(buffer, 1, got, stdout);
        fclose(file);
        puts("");
    }
    return 0;
}
