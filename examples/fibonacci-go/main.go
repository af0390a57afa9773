// Prints the Fibonacci number of each argument.
package main

import (
	"fmt"
	"os"
	"strconv"
)

func fibonacci(n uint64) uint64 {
	var a, b uint64 = 0, 1
	for ; n > 0; n-- {
		a, b = b, a+b
	}
	return a
}

func main() {
	for _, argument := range os.Args[1:] {
		n, err := strconv.ParseUint(argument, 10, 64)
		if err != nil {
			fmt.Fprintln(os.Stderr, "not a number:", argument)
			os.Exit(1)
		}
		fmt.Println(fibonacci(n))
	}
}
