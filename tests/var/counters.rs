//! What recording notices. Each case that counts has a twin that must not.
use std::cmp::Ordering;

use gradcheck_runtime::flatten::Scalar;
use gradcheck_runtime::var::{Event, Note, Tape, Var};
use num_traits::float::TotalOrder;
use num_traits::{AsPrimitive, Euclid, Float, One, Signed, ToPrimitive, Zero, cast};

/// The events of a function of a variable at `x`, as (event, operation).
fn events(x: f64, f: impl Fn(Var)) -> Vec<(Event, &'static str)> {
    Tape::reset();
    let variable = Var::variable(x);
    f(variable);
    let notes = Tape::notes();
    let total: u64 = [
        Event::Tie,
        Event::NearTie,
        Event::Kink,
        Event::Singular,
        Event::Dropped,
        Event::Discretised,
        Event::Foreign,
    ]
    .map(|event| Tape::counts().of(event))
    .iter()
    .sum();
    assert_eq!(total as usize, notes.len());
    assert_eq!(notes.is_empty(), Tape::counts().is_clear());
    notes.into_iter().map(|note| (note.event, note.operation)).collect()
}

/// `f` counts `event` at `at` and nothing beside it.
fn counts(event: Event, operation: &'static str, f: fn(Var), at: f64, twin: f64) {
    assert_eq!(events(at, f), [(event, operation)], "{operation} at {at}");
    assert_eq!(events(twin, f), [], "{operation} at {twin}");
    // A constant is on no kink.
    assert_eq!(events(0.0, |_| f(Var::constant(at))), [], "{operation} of a constant");
}

fn use_up<T>(_: T) {}

#[test]
fn ties() {
    let cases: [(&str, fn(Var)); 19] = [
        ("max", |x| use_up(x.max(2.0.into()))),
        ("max", |x| use_up(Var::from(2.0).max(x))),
        ("min", |x| use_up(x.min(2.0.into()))),
        ("<", |x| use_up(x < Var::from(2.0))),
        ("<=", |x| use_up(x <= Var::from(2.0))),
        (">", |x| use_up(x > Var::from(2.0))),
        (">=", |x| use_up(Var::from(2.0) >= x)),
        ("==", |x| use_up(x == Var::from(2.0))),
        ("==", |x| use_up(x == 2.0)),
        ("==", |x| use_up(x != Var::from(2.0))),
        ("partial_cmp", |x| use_up(x.partial_cmp(&Var::from(2.0)))),
        ("partial_cmp", |x| use_up(x < 2.0)),
        ("total_cmp", |x| use_up(x.total_cmp(&2.0.into()) == Ordering::Less)),
        ("is_zero", |x| use_up((x - 2.0).is_zero())),
        ("is_one", |x| use_up((x - 1.0).is_one())),
        ("abs_sub", |x| use_up(Float::abs_sub(x, 2.0.into()))),
        ("max", |x| use_up(x.clamp(2.0.into(), 9.0.into()))),
        ("min", |x| use_up(x.clamp((-1.0).into(), 2.0.into()))),
        ("max", |x| use_up(x.max(x * x / 2.0))),
    ];
    for (operation, f) in cases {
        counts(Event::Tie, operation, f, 2.0, 1.5);
    }
}

#[test]
fn a_value_beside_itself_is_no_tie() {
    let found = events(2.0, |x| {
        let y = x.max(x) + x.min(x);
        assert!(x == x.abs() && x <= x && y >= y);
        // The test for NaN.
        #[allow(clippy::eq_op)]
        let nan = x != x;
        assert!(!nan);
    });
    assert_eq!(found, []);
}

#[test]
fn a_tie_takes_the_constant() {
    for f in [|x: Var| x.max(0.0.into()), |x: Var| Var::from(0.0).max(x)] {
        assert_eq!(crate::taped1(f, 0.0).derivative(), 0.0);
    }
    assert_eq!(crate::taped1(|x| x.max(x + 0.0 * x), 0.0).derivative(), 1.0);
}

/// Dead units are constants: nothing downstream of them ties.
#[test]
fn zeros_that_nothing_depends_on_do_not_tie() {
    let found = events(-1.0, |x| {
        let dead = x.max(0.0.into());
        use_up((dead * 3.0).max(0.0.into()));
        // A dropped-out unit, likewise.
        use_up((x * 0.0).max(0.0.into()));
    });
    assert_eq!(found, []);
    // With a bias of zero, which is a variable, it is a kink indeed.
    let found = events(0.0, |bias| use_up((Var::from(0.0) * 3.0 + bias).max(0.0.into())));
    assert_eq!(found, [(Event::Tie, "max")]);
}

#[test]
fn near_ties() {
    // 0.1 in exact arithmetic, 4e-16 less in this.
    let same = |x: Var| (x + 8.0) - 8.0;
    let cases: [(&str, fn(Var)); 3] = [
        ("max", |y| use_up(y.max(0.1.into()))),
        ("<", |y| use_up(y < Var::from(0.1))),
        ("abs", |y| use_up((y - 0.1).abs())),
    ];
    for (operation, f) in cases {
        assert_eq!(events(0.1, |x| f(same(x))), [(Event::NearTie, operation)]);
        assert_eq!(events(0.1 + 1e-14, |x| f(same(x))), []);
    }
    // Neighbours, but exact ones: 0.1 + 0.2 is more than 0.3, and by more than its rounding.
    assert_eq!(events(0.1, |x| use_up(x.max(0.1f64.next_up().into()))), []);
    assert_eq!(events(0.1, |x| use_up((x + 0.2).max(0.3.into()))), []);
}

#[test]
fn kinks() {
    let cases: [(&str, fn(Var), f64, f64); 18] = [
        ("abs", |x| use_up(x.abs()), 0.0, 1e-300),
        ("abs", |x| use_up(Signed::abs(&x)), 0.0, 1.0),
        ("signum", |x| use_up(Float::signum(x)), 0.0, 1.0),
        ("is_sign_positive", |x| use_up(x.is_sign_positive()), 0.0, 1.0),
        ("is_sign_positive", |x| use_up(Signed::is_positive(&x)), 0.0, 1.0),
        ("is_sign_negative", |x| use_up(x.is_sign_negative()), 0.0, 1.0),
        ("copysign", |x| use_up(x.copysign(1.0.into())), 0.0, 1.0),
        ("copysign", |x| use_up(Var::from(1.0).copysign(x)), 0.0, 1.0),
        ("fract", |x| use_up(x.fract()), -3.0, 0.0),
        ("hypot", |x| use_up(x.hypot(0.0.into())), 0.0, 1.0),
        ("hypot", |x| use_up(Var::from(0.0).hypot(x)), 0.0, 1.0),
        ("atan2", |x| use_up(x.atan2(0.0.into())), 0.0, 1.0),
        ("atan2", |y| use_up(y.atan2((-1.0).into())), 0.0, 1.0),
        ("%", |x| use_up(x % 3.0), 6.0, 0.0),
        ("%", |x| use_up(6.0 % x), 3.0, 4.0),
        ("%", |x| use_up(x.rem_euclid(&3.0.into())), 6.0, 7.0),
        ("rem_euclid", |x| use_up(x.rem_euclid(&3.0.into())), 0.0, 1.0),
        ("rem_euclid", |x| use_up(x.div_euclid(&3.0.into())), 0.0, 1.0),
    ];
    for (operation, f, at, twin) in cases {
        counts(Event::Kink, operation, f, at, twin);
    }
}

#[test]
fn singular_points() {
    let cases: [(&str, fn(Var), f64, f64); 5] = [
        ("sqrt", |x| use_up(x.sqrt()), 0.0, 1e-300),
        ("cbrt", |x| use_up(x.cbrt()), 0.0, 1e-300),
        ("asin", |x| use_up(x.asin()), 1.0, 1.0f64.next_down()),
        ("acosh", |x| use_up(x.acosh()), 1.0, 1.0f64.next_up()),
        ("powf", |x| use_up(x.powf(0.5.into())), 0.0, 1e-300),
    ];
    for (operation, f, at, twin) in cases {
        counts(Event::Singular, operation, f, at, twin);
    }
    // |x| written as a root of a square: the kink is hidden from `abs`, and no number comes out.
    let hidden = crate::taped1(|x| (x * x).sqrt(), 0.0);
    assert!(hidden.derivative().is_nan() && hidden.sweep.bounds[0].is_infinite());
    assert_eq!(Tape::counts().of(Event::Singular), 1);
}

#[test]
fn dropped_derivatives() {
    let cases: [(&str, fn(Var)); 6] = [
        ("to_f64", |x| use_up(ToPrimitive::to_f64(&x))),
        ("to_f32", |x| use_up(x.to_f32())),
        ("f64::from", |x| use_up(f64::from(x))),
        ("as f64", |x| use_up(AsPrimitive::<f64>::as_(x))),
        ("integer_decode", |x| use_up(x.integer_decode())),
        ("to_f64", |x| use_up(cast::<_, f64>(x))),
    ];
    for (operation, f) in cases {
        assert_eq!(events(2.5, f), [(Event::Dropped, operation)]);
        assert_eq!(events(2.5, |_| f(Var::constant(2.5))), []);
    }
    // What loses nothing: the tape's own door, and a conversion of `F` to `F`.
    let kept = events(2.5, |x| {
        use_up((x.value(), Scalar::to_f64(x), format!("{x}")));
        assert_eq!(cast::<_, Var>(x).unwrap().tape_id(), x.tape_id());
    });
    assert_eq!(kept, []);
    let kept = crate::taped1(|x| cast::<_, Var>(x * x).unwrap(), 3.0);
    assert_eq!(kept.derivative(), 6.0);
}

/// A number of the user's own, twice what it holds.
struct Doubled(Var);

impl ToPrimitive for Doubled {
    fn to_i64(&self) -> Option<i64> {
        None
    }
    fn to_u64(&self) -> Option<u64> {
        None
    }
    fn to_f64(&self) -> Option<f64> {
        ToPrimitive::to_f64(&self.0).map(|x| 2.0 * x)
    }
}

#[test]
fn a_conversion_by_way_of_another_type_is_dropped() {
    let found = events(3.0, |x| {
        let doubled = <Var as num_traits::NumCast>::from(Doubled(x)).unwrap();
        assert!(doubled.is_constant() && doubled.value() == 6.0);
    });
    assert_eq!(found, [(Event::Dropped, "to_f64")]);
}

#[test]
fn discretised_values() {
    let cases: [(&str, fn(Var)); 3] = [
        ("to_usize", |x| use_up(x.to_usize())),
        ("to_i64", |x| use_up(cast::<_, i64>(x))),
        ("as usize", |x| use_up(AsPrimitive::<usize>::as_(x))),
    ];
    for (operation, f) in cases {
        assert_eq!(events(2.5, f), [(Event::Discretised, operation)]);
        assert_eq!(events(2.5, |_| f(Var::constant(2.5))), []);
    }
    // Looking up a table by a rounded value is one step, not two.
    let found = events(2.5, |x| assert_eq!(x.floor().to_usize(), Some(2)));
    assert_eq!(found, [(Event::Discretised, "floor")]);
}

#[test]
fn steps_and_their_jumps() {
    let cases: [(&str, fn(Var), f64, f64); 6] = [
        ("floor", |x| use_up(x.floor()), 3.0, 2.5),
        ("floor", |x| use_up(x.floor()), 0.0, 0.25),
        ("ceil", |x| use_up(x.ceil()), 3.0, 2.5),
        ("round", |x| use_up(x.round()), 2.5, 3.0),
        ("round", |x| use_up(x.round()), -0.5, 0.0),
        ("trunc", |x| use_up(x.trunc()), 3.0, 0.0),
    ];
    for (operation, f, jump, smooth) in cases {
        let step = (Event::Discretised, operation);
        assert_eq!(events(jump, f), [(Event::Kink, operation), step], "{operation} at {jump}");
        assert_eq!(events(smooth, f), [step], "{operation} at {smooth}");
        assert_eq!(events(0.0, |_| f(Var::constant(jump))), [], "{operation} of a constant");
    }
    // 4e-16 below an integer, which rounding does not tell from it.
    let near = events(0.1, |x| use_up(((x + 8.0) - 8.0 - 0.1).floor()));
    assert_eq!(near, [(Event::NearTie, "floor"), (Event::Discretised, "floor")]);
}

#[test]
fn notes_tell_the_first_few() {
    let x = {
        Tape::reset();
        Var::variable(0.0)
    };
    for _ in 0..100 {
        use_up(x.abs());
    }
    assert_eq!(Tape::counts().of(Event::Kink), 100);
    let first = Note { event: Event::Kink, operation: "abs", value: 0.0 };
    assert!(Tape::notes().len() < 20 && Tape::notes()[0] == first);
    // A rare one is not lost among the others.
    let _ = x.to_f32();
    assert_eq!(Tape::notes().last().map(|note| note.event), Some(Event::Dropped));
    Tape::reset();
    assert!(Tape::counts().is_clear() && Tape::notes().is_empty());
}

#[test]
fn values_of_another_tape_are_noticed() {
    // From before the last reset.
    Tape::reset();
    let old = Var::variable(3.0);
    Tape::reset();
    let new = Var::variable(2.0);
    let mixed = old * new;
    assert_eq!(mixed.value(), 6.0);
    assert_eq!(Tape::counts().of(Event::Foreign), 1);
    assert_eq!(mixed.tape_id(), None);
    assert!(mixed.error().is_infinite());
    assert_eq!(Tape::counts().of(Event::Foreign), 2);
    assert_eq!((-old).tape_id(), None);
    assert_eq!(old.exp().tape_id(), None);

    // To another thread and back: the result must not pass for a constant.
    Tape::reset();
    let (x, three) = (Var::variable(2.0), Var::constant(3.0));
    let (squared, nine) =
        std::thread::spawn(move || (x * x, three * three)).join().expect("no panic");
    assert!(nine.is_constant() && !squared.is_constant());
    assert!((squared + x).tape_id().is_none() && Tape::counts().of(Event::Foreign) > 0);
}

#[test]
fn the_tape_has_a_cap() {
    std::thread::spawn(|| {
        let before = Tape::set_cap(1 << 20);
        assert!((Tape::DEFAULT_CAP - before) < 100);
        Tape::reset();
        let x = Var::variable(1.0);
        let filled = std::panic::catch_unwind(|| {
            let mut y = x;
            for _ in 0..1_000_000 {
                y += x;
            }
            y.value()
        });
        let message = *filled.expect_err("a full tape").downcast::<String>().expect("a message");
        assert!(message.contains("fill its cap of 1.000 MiB"), "{message}");
        assert!(message.contains("Tape::set_cap"), "{message}");
        assert!(Tape::is_full());
        // Some 56 bytes an operation, and every one below the cap.
        assert!((15_000..20_000).contains(&Tape::len()), "{}", Tape::len());

        // The tape can be swept and used again, and a higher cap gives more room.
        assert_eq!(Tape::sweep(&[(0, 1.0)]).gradient, [1.0]);
        Tape::set_cap(1 << 22);
        Tape::reset();
        let x = Var::variable(1.0);
        let y = (0..50_000).fold(x, |y, _| y + x);
        let sweep = Tape::sweep(&[(y.tape_id().unwrap(), 1.0)]);
        assert_eq!(sweep.gradient, [50_001.0]);
        assert!(!Tape::is_full());
    })
    .join()
    .expect("no panic");
}

#[test]
#[should_panic(expected = "not on this thread's tape")]
fn a_sweep_from_nowhere_is_refused() {
    Tape::reset();
    let _ = Tape::sweep(&[(5, 1.0)]);
}

#[test]
fn a_sweep_from_nothing_finds_nothing() {
    Tape::reset();
    assert!(Tape::is_empty());
    let _ = Var::variable(1.0);
    let sweep = Tape::sweep(&[]);
    assert_eq!((sweep.gradient, sweep.bounds, sweep.value_bound), (vec![0.0], vec![0.0], 0.0));
    assert!(Var::zero().is_zero() && Tape::counts().is_clear());
}
