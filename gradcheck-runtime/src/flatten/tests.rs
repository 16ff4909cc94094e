//! Blocks of elements with one part or two, whatever their layout, read and written piece by piece.
use ndarray::{Array2, Axis, Slice};

use super::*;

/// An element of two parts, as a complex number is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Two(f32, f32);

impl Element for Two {
    type Real = f32;
    const PARTS: usize = 2;
    fn part(self, part: usize) -> f32 {
        [self.0, self.1][part]
    }
    fn set_part(&mut self, part: usize, value: f32) {
        *[&mut self.0, &mut self.1][part] = value;
    }
    fn zero() -> Two {
        Two(0.0, 0.0)
    }
}

fn twos(count: usize) -> Vec<Two> {
    (0..count).map(|k| Two(2.0 * k as f32, 2.0 * k as f32 + 1.0)).collect()
}

/// All ways to read agree, and hand over pieces that are not single numbers.
fn reads(scalars: &dyn Scalars, values: &[f64], complex: bool) {
    assert_eq!(scalars.len(), values.len());
    assert_eq!(scalars.is_empty(), values.is_empty());
    assert_eq!((0..values.len()).map(|i| scalars.get(i)).collect::<Vec<_>>(), values);
    let mut appended = vec![0.5];
    scalars.append_to(&mut appended);
    assert_eq!(appended[1..], *values);
    let (mut shown, mut pieces) = (Vec::new(), 0);
    scalars.in_pieces(&mut |start, piece| {
        assert_eq!(start, shown.len());
        shown.extend_from_slice(piece);
        pieces += 1;
    });
    assert_eq!(shown, values);
    assert_eq!(pieces, values.len().div_ceil(PIECE));
    assert_eq!(scalars.is_complex(), complex);
    assert!((0..values.len()).all(|i| scalars.tape_id(i).is_none()));
}

/// All ways to write do the same.
fn writes(scalars: &mut dyn ScalarsMut) {
    let count = scalars.len();
    let mut expected: Vec<f64> = (0..count).map(|i| scalars.get(i)).collect();
    let read = |scalars: &dyn ScalarsMut| (0..count).map(|i| scalars.get(i)).collect::<Vec<_>>();
    for i in [0, 1, count / 2, count - 1] {
        scalars.set(i, -3.0 - i as f64);
        expected[i] = -3.0 - i as f64;
    }
    assert_eq!(read(scalars), expected);
    for range in [
        0..count,
        1..count - 1,
        2..3,
        3..3,
        1..2,
        5..count,
        0..7,
        PIECE - 1..count.min(2 * PIECE + 3),
    ] {
        let mut asked = Vec::new();
        scalars.set_range(range.clone(), &mut |start, piece| {
            asked.push(start..start + piece.len());
            piece.iter_mut().enumerate().for_each(|(k, value)| *value = 10.0 + (start + k) as f64);
        });
        expected[range.clone()]
            .iter_mut()
            .zip(range.clone())
            .for_each(|(e, i)| *e = 10.0 + i as f64);
        assert_eq!(read(scalars), expected, "{range:?}");
        // Each scalar once, in order, in few pieces.
        assert_eq!(
            asked.iter().cloned().flatten().collect::<Vec<_>>(),
            range.clone().collect::<Vec<_>>()
        );
        assert_eq!(asked.len(), range.len().div_ceil(PIECE), "{range:?}");
    }
    let values: Vec<f64> = (0..count).map(|i| 0.25 * i as f64).collect();
    scalars.set_all(&values);
    assert_eq!(read(scalars), values);
}

#[test]
fn blocks_are_read_and_written_part_by_part() {
    let values = |count: usize| (0..count).map(|k| k as f64).collect::<Vec<f64>>();
    for count in [8, 63, 64, 65, 200] {
        reads(&Flat::<_, Two>::new(twos(count)), &values(2 * count), true);
        reads(&Flat::<_, f64>::new(values(count)), &values(count), false);
    }
    reads(&Flat::<_, f32>::new(Vec::<f32>::new()), &[], false);
    writes(&mut Flat::<_, Two>::new(twos(200)));
    writes(&mut Flat::<_, f64>::new(values(400)));
    assert_eq!(Flat::<_, Two>::new(twos(1)).roundoff(), f32::ROUNDOFF);
}

#[test]
fn arrays_are_read_and_written_in_their_logical_order() {
    let array = Array2::from_shape_vec((20, 15), twos(300)).expect("as many");
    let values: Vec<f64> = (0..600).map(f64::from).collect();
    reads(&array, &values, true);
    let mut columns = Array2::from_elem((15, 20), Two(0.0, 0.0)).reversed_axes();
    columns.assign(&array);
    assert!(columns.as_slice().is_none());
    reads(&columns, &values, true);
    let plain = Array2::from_shape_fn((20, 15), |(i, j)| (15 * i + j) as f64);
    reads(&plain.t(), &plain.t().iter().copied().collect::<Vec<_>>(), false);
    writes(&mut array.clone());
    writes(&mut columns);
    writes(&mut plain.clone().reversed_axes());
    let mut strided = Array2::from_shape_fn((40, 15), |(i, j)| (i + j) as f64);
    strided.invert_axis(Axis(1));
    writes(&mut strided.slice_axis_mut(Axis(0), Slice::new(0, None, 2)));
    assert!(
        strided
            .column(0)
            .iter()
            .skip(1)
            .step_by(2)
            .zip(0..)
            .all(|(x, k)| *x == f64::from(2 * k + 1 + 14))
    );
}

#[test]
fn vectors_grow_by_what_they_need() {
    // A large one takes what is appended, and no more than an eighth beyond.
    let mut values = vec![0.0; 8000];
    values.shrink_to_fit();
    Flat::<_, f64>::new(vec![1.0; 3000]).append_to(&mut values);
    assert!((11_000..11_100).contains(&values.capacity()), "{}", values.capacity());
    Flat::<_, f64>::new(vec![1.0; 10]).append_to(&mut values);
    assert!((11_010..12_500).contains(&values.capacity()), "{}", values.capacity());
    // Many small ones do not each move what is there.
    let (mut values, mut moves, mut capacity) = (Vec::new(), 0, 0);
    for _ in 0..20_000 {
        Flat::<_, f64>::new([1.0]).append_to(&mut values);
        moves += usize::from(values.capacity() != capacity);
        capacity = values.capacity();
    }
    assert!(moves < 120, "{moves}");
    // What has room is left alone.
    let mut roomy = Vec::with_capacity(100);
    Flat::<_, f64>::new(vec![1.0; 100]).append_to(&mut roomy);
    assert_eq!(roomy.capacity(), 100);
}

/// Scalars that know no more than one of them at a time.
struct OneByOne(Vec<f64>);

impl Scalars for OneByOne {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn get(&self, i: usize) -> f64 {
        self.0[i]
    }
    fn append_to(&self, out: &mut Vec<f64>) {
        out.extend_from_slice(&self.0);
    }
    fn roundoff(&self) -> f64 {
        f64::EPSILON
    }
    fn tape_id(&self, _: usize) -> Option<u32> {
        None
    }
    fn is_flat(&self) -> bool {
        true
    }
}

impl ScalarsMut for OneByOne {
    fn set(&mut self, i: usize, value: f64) {
        self.0[i] = value;
    }
    fn set_all(&mut self, values: &[f64]) {
        self.0.copy_from_slice(values);
    }
}

#[test]
fn scalars_are_read_and_written_one_by_one_unless_they_know_better() {
    let mut scalars = OneByOne(vec![0.5, 1.5, 2.5, 3.5]);
    let mut shown = Vec::new();
    scalars.in_pieces(&mut |start, piece| shown.push((start, piece.to_vec())));
    assert_eq!(shown, [(0, vec![0.5]), (1, vec![1.5]), (2, vec![2.5]), (3, vec![3.5])]);
    assert!(!scalars.is_complex());
    scalars.set_range(1..3, &mut |start, place| place.fill(10.0 * start as f64));
    assert_eq!(scalars.0, [0.5, 10.0, 20.0, 3.5]);
}

#[test]
fn room_is_made_where_there_is_none() {
    let mut values = Vec::with_capacity(1_000);
    values.resize(900, 0.0);
    let room = values.capacity() - values.len();
    make_room(&mut values, room);
    assert_eq!(values.capacity() - values.len(), room, "there is as much as is asked for");
    make_room(&mut values, room + 1);
    assert!(values.capacity() - values.len() > room);
}
