//! Numbers in JSON: what is not finite is a word, and what exceeds 2^53 is digits.
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

struct Any(f64);

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            x if x.is_finite() => serializer.serialize_f64(x),
            x if x.is_nan() => serializer.serialize_str("NaN"),
            x if x > 0.0 => serializer.serialize_str("inf"),
            _ => serializer.serialize_str("-inf"),
        }
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Any, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = Any;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, \"NaN\", \"inf\" or \"-inf\"")
            }
            fn visit_f64<E: de::Error>(self, x: f64) -> Result<Any, E> {
                Ok(Any(x))
            }
            fn visit_i64<E: de::Error>(self, x: i64) -> Result<Any, E> {
                Ok(Any(x as f64))
            }
            fn visit_u64<E: de::Error>(self, x: u64) -> Result<Any, E> {
                Ok(Any(x as f64))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Any, E> {
                match text {
                    "NaN" => Ok(Any(f64::NAN)),
                    "inf" => Ok(Any(f64::INFINITY)),
                    "-inf" => Ok(Any(f64::NEG_INFINITY)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Words)
    }
}

pub(super) mod one {
    use super::{Any, Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::record) fn serialize<S: Serializer>(x: &f64, s: S) -> Result<S::Ok, S::Error> {
        Any(*x).serialize(s)
    }
    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Any::deserialize(d).map(|any| any.0)
    }
}

pub(super) mod many {
    use super::{Any, Deserialize, Deserializer, Serializer};

    pub(in crate::record) fn serialize<S: Serializer>(x: &[f64], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(x.iter().map(|&x| Any(x)))
    }
    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Any>::deserialize(d)?.into_iter().map(|any| any.0).collect())
    }
}

pub(super) mod digits {
    use serde::de::Error as _;

    use super::{Deserialize, Deserializer, Serializer};

    pub(in crate::record) fn serialize<S: Serializer>(x: &u64, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(x)
    }
    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}
