// Prints the Fibonacci number of each argument.
function fibonacci(n: u64): u64 {
  let a: u64 = 0, b: u64 = 1;
  for (; n > 0; n--) {
    const next = a + b;
    a = b;
    b = next;
  }
  return a;
}

for (let i = 1; i < process.argv.length; i++) {
  process.stdout.write(fibonacci(<u64>I64.parseInt(process.argv[i])).toString() + "\n");
}
