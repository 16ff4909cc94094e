//! The record as JSON, written beside each page with the feature `serde`.

use gradcheck_runtime::evidence::Verdict;
use gradcheck_runtime::record::{Record, VERSION};
use gradcheck_runtime::{Settings, StateReport, check_at, gradcheck};
use serde_json::Value;

fn state() -> StateReport {
    let cost = |w: &Vec<f64>| w.iter().map(|w| w.sin()).sum::<f64>();
    let flip = |w: &Vec<f64>| w.iter().map(|w| -w.cos()).collect::<Vec<f64>>();
    check_at(&mut vec![0.3, -1.2, 2.0], &Settings::new(), cost, flip)
}

fn json(record: &Record) -> Value {
    serde_json::to_value(record).expect("a record is JSON")
}

#[test]
fn what_is_read_back_is_what_was_written_whatever_the_numbers() {
    let mut state = state();
    std::sync::Arc::make_mut(&mut state.evidence.analytic)[0] = f64::NAN;
    state.evidence.numeric[0] = f64::NEG_INFINITY;
    state.evidence.bound[0] = f64::INFINITY;
    state.evidence.numeric[1] = 0.1 + 0.2;
    state.evidence.verdict[1] = Verdict::Kink;
    let mut record = state.record("f");
    record.seed = u64::MAX;
    let text = serde_json::to_string(&record).unwrap();
    let back: Record = serde_json::from_str(&text).unwrap();
    // NaN is no NaN's equal; its words are.
    assert_eq!(format!("{back:?}"), format!("{record:?}"));
    assert_eq!(back.page(), record.page());
    let value = json(&record);
    assert_eq!(value["version"], VERSION);
    assert_eq!(value["seed"], "18446744073709551615");
    let values = &value["shown"]["blocks"][0]["values"];
    assert_eq!(values["analytic"][0], "NaN");
    assert_eq!(values["numeric"][0], "-inf");
    assert_eq!(values["numeric"][1], 0.1 + 0.2);
    assert_eq!(values["bound"][0], "inf");
    assert_eq!(value["shown"]["blocks"][0]["map"]["verdict"], "wkw");
    assert_eq!(value["states_are"], "given");
}

#[test]
fn what_is_no_record_is_refused() {
    let good = json(&state().record("f"));
    assert!(serde_json::from_value::<Record>(good.clone()).is_ok());
    for (field, bad) in [
        ("difference", Value::from("nan")),
        ("difference", Value::Null),
        ("seed", Value::from(1)),
        ("states_are", Value::from("Given")),
    ] {
        let mut value = good.clone();
        value[field] = bad;
        assert!(serde_json::from_value::<Record>(value).is_err(), "{field}");
    }
    let mut value = good;
    value.as_object_mut().unwrap().remove("passed");
    assert!(serde_json::from_value::<Record>(value).is_err());
}

#[test]
fn every_field_stands_in_the_documented_table() {
    let source = include_str!("../src/record.rs");
    let documented = |field: &str| {
        source.lines().any(|l| l.starts_with("//! |") && l.contains(&format!("`{field}`")))
    };
    let value = json(&state().record("f"));
    for field in value.as_object().unwrap().keys() {
        assert!(documented(field), "{field}");
    }
    assert!(!documented("no_such_field"));
}

#[gradcheck(dims(n in 1..=3), w in normal(n), forward = |w: &ndarray::Array1<f64>| w.dot(w), ignore = "wrong on purpose")]
fn tripled(w: &ndarray::Array1<f64>) -> ndarray::Array1<f64> {
    3.0 * w
}

#[test]
fn a_check_writes_its_record_beside_its_page() {
    let folder = std::env::temp_dir().join(format!("gradcheck-json-{}", std::process::id()));
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["gradcheck_tripled::after_training", "--exact", "--ignored"])
        .env("GRADCHECK_REPORT", &folder)
        .env("GRADCHECK_REGRESSIONS", "off")
        .output()
        .expect("the test binary starts");
    assert!(!output.status.success());
    let name = "gradcheck-runtime-json-gradcheck_tripled-after_training";
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    let page = std::fs::read_to_string(folder.join(format!("{name}.html"))).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let record: Record = serde_json::from_str(&text).unwrap();
    assert!(!record.passed && record.failing_states == record.states);
    assert!(record.diagnosis[0].contains("scaled by 1.5"), "{:?}", record.diagnosis);
    let training = record.training.as_ref().expect("the check trains");
    assert_eq!(training.looks.first().map(|look| look.step), Some(0));
    assert!(training.looks.windows(2).all(|pair| pair[1].cost < pair[0].cost), "{training:?}");
    let sweep = record.sweep.as_ref().expect("a component is wrong");
    assert!((sweep.analytic / sweep.numeric - 1.5).abs() < 1e-9);
    assert_eq!(record.page(), page);
}
