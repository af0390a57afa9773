// Copies standard input to standard output.
#include <unistd.h>

int main(void) {
    static char buffer[65536];
    ssize_t got;
    while ((got = read(0, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, put; done < got; done += put)
            if ((put = write(1, buffer + done, (size_t)(got - done))) < 0)
                return 1;
    return got < 0;
}
