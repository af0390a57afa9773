// Echoes three lines on a connection that Enarx.toml lists: blocking, blocking, non-blocking.
#include "stream.h"

int main(void) {
    require_files("4", "stdin:stdout:stderr:stream");
    echo_three_lines(3);
    return 0;
}
