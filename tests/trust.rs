//! Whether a verdict can be trusted: the example `trust` on small seeded runs.
//!
//! Its functions, faults and oracle carry their own tests, which run here with the suite: each
//! hand-written gradient is proven by dual numbers, each fault shows somewhere, and a run over
//! every class of states accuses nobody and misses hardly a fault that can be seen. What the
//! diagnosis says of the faults is held against the exact gradients.

#[path = "../gradcheck-runtime/examples/trust"]
#[allow(dead_code, reason = "the example prints tables of them")]
mod trust {
    pub(crate) mod exact;
    pub(crate) mod examine;
    pub(crate) mod faults;
    pub(crate) mod oracle;
    pub(crate) mod subjects;
    pub(crate) mod truth;
    pub(crate) mod words;
}
