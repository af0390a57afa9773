// Prints the Fibonacci number of each argument.
fn fibonacci(n: u64) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

fn main() {
    for argument in std::env::args().skip(1) {
        match argument.parse() {
            Ok(n) => println!("{}", fibonacci(n)),
            Err(_) => {
                eprintln!("not a number: {argument}");
                std::process::exit(1);
            }
        }
    }
}
