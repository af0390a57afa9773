;; Nothing to start with.
(module (func (export "other")))
