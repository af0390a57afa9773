// Accepts one connection, echoes until the peer has ended its direction, then says bye and ends its own.
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    static char buffer[4096];
    int socket = accept(3, NULL, NULL);
    ssize_t got;
    while ((got = read(socket, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, put; done < got; done += put)
            if ((put = write(socket, buffer + done, (size_t)(got - done))) < 0)
                return 1;
    if (got < 0 || write(socket, "bye", 3) != 3 || shutdown(socket, SHUT_WR) != 0)
        return 2;
    return 0;
}
