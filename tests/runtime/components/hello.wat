;; A command by hand: writes one line through wasi:io/streams and says that all is well.
(component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error-type))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $out (sub resource)))
    (alias outer 1 $error-type (type $failed))
    (type $stream-error-in (variant (case "last-operation-failed" (own $failed)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error-in)))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $stream (type $out-in))
    (export "output-stream" (type $out (eq $out-in)))
    (export "get-stdout" (func (result (own $out))))))
  (core module $memory (memory (export "memory") 1)
    (data (i32.const 16) "Hello from a component\n"))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem)))
  (core module $main
    (import "host" "get-stdout" (func $get-stdout (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "memory" (memory 1))
    (func (export "run") (result i32)
      (call $write (call $get-stdout) (i32.const 16) (i32.const 23) (i32.const 0))
      (i32.load8_u (i32.const 0))))
  (core instance $main (instantiate $main (with "host" (instance
    (export "get-stdout" (func $get-stdout)) (export "write" (func $write)) (export "memory" (memory $mem))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $exported)))
