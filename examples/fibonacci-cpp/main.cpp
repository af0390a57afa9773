// SPDX-License-Identifier: Apache-2.0
// Prints the Fibonacci number of each argument, or of each number on standard input.
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>

static std::uint64_t fibonacci(unsigned n) {
    std::uint64_t now = 0, next = 1;
    while (n-- > 0)
        now = std::exchange(next, now + next);
    return now;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        std::cout << fibonacci(static_cast<unsigned>(std::stoul(argv[i]))) << '\n';
    for (unsigned n; argc < 2 && std::cin >> n;)
        std::cout << fibonacci(n) << '\n';
}
