//! Paths, shapes and order of the blocks of every type that flattens, and writing through them.
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use gradcheck_runtime::flatten::{Flatten, FlattenMut, Scalars, ScalarsMut, Step};
use gradcheck_runtime::flatten::{Visitor, VisitorMut};
use ndarray::{
    ArcArray, Array, Array0, Array1, Array2, ArrayD, ArrayView2, ArrayViewMut2, Axis, CowArray,
    Dimension, IntoDimension, ShapeBuilder, Slice, arr0, array,
};

/// Path, shape and scalars of a block.
type Block = (String, Vec<usize>, Vec<f64>);

/// The steps from the root to where a visitor stands.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn enter(&mut self, step: Step<'_>) {
        self.0.push(match step {
            Step::Field(name) => format!(".{name}"),
            Step::Key(key) => format!("[{key:?}]"),
            Step::Index(i) => format!("[{i}]"),
        });
    }

    fn leave(&mut self) {
        self.0.pop().expect("a step for each return");
    }
}

/// Writes down what it is shown.
#[derive(Default)]
struct Recorder {
    path: Path,
    blocks: Vec<Block>,
}

fn record(path: &Path, shape: &[usize], scalars: &dyn Scalars) -> Block {
    let values: Vec<f64> = (0..scalars.len()).map(|i| scalars.get(i)).collect();
    let mut appended = vec![-0.5];
    scalars.append_to(&mut appended);
    assert_eq!(appended[0], -0.5, "`append_to` keeps what is there");
    assert_eq!(appended[1..], values, "`append_to` and `get` agree");
    assert_eq!(scalars.is_empty(), values.is_empty());
    assert_eq!(shape.iter().product::<usize>(), values.len(), "as many scalars as the shape says");
    assert!((0..values.len()).all(|i| scalars.tape_id(i).is_none()), "plain floats are no tape");
    (path.0.concat(), shape.to_vec(), values)
}

impl Visitor for Recorder {
    fn enter(&mut self, step: Step<'_>) {
        self.path.enter(step);
    }
    fn leave(&mut self) {
        self.path.leave();
    }
    fn block(&mut self, shape: &[usize], scalars: &dyn Scalars) {
        self.blocks.push(record(&self.path, shape, scalars));
    }
}

fn blocks<T: Flatten + ?Sized>(value: &T) -> Vec<Block> {
    let mut recorder = Recorder::default();
    value.flatten(&mut recorder);
    assert!(recorder.path.0.is_empty(), "back at the root");
    recorder.blocks
}

fn scalars<T: Flatten + ?Sized>(value: &T) -> Vec<f64> {
    blocks(value).into_iter().flat_map(|block| block.2).collect()
}

/// Calls `change` with the number of each block's first scalar, and writes the blocks down.
struct Changer<C> {
    path: Path,
    blocks: Vec<Block>,
    seen: usize,
    change: C,
}

impl<C: FnMut(usize, &mut dyn ScalarsMut)> VisitorMut for Changer<C> {
    fn enter(&mut self, step: Step<'_>) {
        self.path.enter(step);
    }
    fn leave(&mut self) {
        self.path.leave();
    }
    fn block(&mut self, shape: &[usize], scalars: &mut dyn ScalarsMut) {
        self.blocks.push(record(&self.path, shape, scalars));
        (self.change)(self.seen, scalars);
        self.seen += scalars.len();
    }
}

fn change<T: FlattenMut + ?Sized>(
    value: &mut T,
    change: impl FnMut(usize, &mut dyn ScalarsMut),
) -> Vec<Block> {
    let mut changer = Changer { path: Path::default(), blocks: Vec::new(), seen: 0, change };
    value.flatten_mut(&mut changer);
    assert!(changer.path.0.is_empty(), "back at the root");
    changer.blocks
}

type Expected<'a> = [(&'a str, &'a [usize], &'a [f64])];

fn reads<T: Flatten + ?Sized>(value: &T, expected: &Expected<'_>) -> Result<(), String> {
    let expected: Vec<Block> = expected
        .iter()
        .map(|&(path, shape, values)| (path.to_owned(), shape.to_vec(), values.to_vec()))
        .collect();
    let seen = blocks(value);
    if seen == expected { Ok(()) } else { Err(format!("{seen:?} for {expected:?}")) }
}

/// Whether `value` reads as `expected`, shows the same with write access, and each scalar that
/// is written is found where it was written, and nowhere else.
fn writes<T: FlattenMut + ?Sized>(value: &mut T, expected: &Expected<'_>) -> Result<(), String> {
    reads(value, expected)?;
    let before = blocks(value);
    let shown = change(value, |_, _| {});
    if shown != before {
        return Err(format!("writing shows {shown:?}, reading {before:?}"));
    }
    let original = scalars(value);

    for target in 0..original.len() {
        let mut hits = 0;
        change(value, |first, block| {
            if (first..first + block.len()).contains(&target) {
                block.set(target - first, 1024.0);
                hits += 1;
            }
        });
        assert_eq!(hits, 1);
        let mut wanted = original.clone();
        wanted[target] = 1024.0;
        if scalars(value) != wanted {
            return Err(format!("scalar {target} was set: {:?}", scalars(value)));
        }
        change(value, |first, block| {
            if (first..first + block.len()).contains(&target) {
                block.set(target - first, original[target]);
            }
        });
    }

    let numbers: Vec<f64> = (0..original.len()).map(|i| 0.5 + i as f64).collect();
    change(value, |first, block| block.set_all(&numbers[first..first + block.len()]));
    if scalars(value) != numbers {
        return Err(format!("all were set: {:?}", scalars(value)));
    }
    change(value, |first, block| block.set_all(&original[first..first + block.len()]));
    reads(value, expected)
}

#[track_caller]
fn check<T: FlattenMut + ?Sized>(value: &mut T, expected: &Expected<'_>) {
    writes(value, expected).unwrap();
}

#[track_caller]
fn check_read<T: Flatten + ?Sized>(value: &T, expected: &Expected<'_>) {
    reads(value, expected).unwrap();
}

// The checks above see what is wrong.

#[test]
fn a_wrong_expectation_is_seen() {
    let value = (array![[1.0, 2.0], [3.0, 4.0]], vec![5.0]);
    let right = (".0", &[2, 2][..], &[1.0, 2.0, 3.0, 4.0][..]);
    let last = (".1", &[1][..], &[5.0][..]);
    reads(&value, &[right, last]).unwrap();
    reads(&value, &[last, right]).unwrap_err();
    reads(&value, &[right]).unwrap_err();
    reads(&value, &[(".1", right.1, right.2), last]).unwrap_err();
    reads(&value, &[(right.0, &[4], right.2), last]).unwrap_err();
    reads(&value, &[(right.0, right.1, &[1.0, 3.0, 2.0, 4.0]), last]).unwrap_err();
}

/// What a hand-written implementation may get wrong.
struct Faulty {
    a: f64,
    b: f64,
    fault: Fault,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Order,
    Path,
    Aliased,
}

impl Flatten for Faulty {
    fn flatten(&self, visitor: &mut dyn Visitor) {
        for (name, scalar) in [("a", self.a), ("b", self.b)] {
            visitor.enter(Step::Field(name));
            scalar.flatten(visitor);
            visitor.leave();
        }
    }
}

impl FlattenMut for Faulty {
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
        let names = if self.fault == Fault::Path { ["a", "c"] } else { ["a", "b"] };
        let mut copy = self.a;
        let mut fields = if self.fault == Fault::Aliased {
            [(names[0], &mut copy), (names[1], &mut self.b)]
        } else {
            [(names[0], &mut self.a), (names[1], &mut self.b)]
        };
        if self.fault == Fault::Order {
            fields.reverse();
        }
        for (name, scalar) in fields {
            visitor.enter(Step::Field(name));
            scalar.flatten_mut(visitor);
            visitor.leave();
        }
    }
}

#[test]
fn a_faulty_implementation_is_seen() {
    let attempt = |fault| {
        let mut value = Faulty { a: 1.0, b: 2.0, fault };
        writes(&mut value, &[(".a", &[], &[1.0]), (".b", &[], &[2.0])])
    };
    attempt(Fault::None).unwrap();
    assert!(attempt(Fault::Order).unwrap_err().contains("writing shows"));
    assert!(attempt(Fault::Path).unwrap_err().contains("writing shows"));
    assert!(attempt(Fault::Aliased).unwrap_err().contains("scalar 0 was set"));
}

// Scalars and plain sequences.

#[test]
fn scalars_have_no_path_and_no_shape() {
    check(&mut 1.5_f64, &[("", &[], &[1.5])]);
    check(&mut 1.5_f32, &[("", &[], &[1.5])]);
}

#[test]
fn sequences_of_scalars_are_one_block() {
    check(&mut vec![1.0, 2.0, 3.0], &[("", &[3], &[1.0, 2.0, 3.0])]);
    check(&mut vec![1.0_f32, 2.0], &[("", &[2], &[1.0, 2.0])]);
    check(&mut [1.0, 2.0, 3.0], &[("", &[3], &[1.0, 2.0, 3.0])]);
    check(&mut [1.0, 2.0, 3.0][..2], &[("", &[2], &[1.0, 2.0])]);
    check(&mut &mut [1.0, 2.0, 3.0][1..], &[("", &[2], &[2.0, 3.0])]);
    check(&mut vec![1.0, 2.0].into_boxed_slice(), &[("", &[2], &[1.0, 2.0])]);
    check(&mut Vec::<f64>::new(), &[("", &[0], &[])]);
    check(&mut [0.0_f64; 0], &[("", &[0], &[])]);
}

#[test]
fn nested_sequences_count_the_outer_elements() {
    check(
        &mut vec![vec![1.0, 2.0], vec![], vec![3.0]],
        &[("[0]", &[2], &[1.0, 2.0]), ("[1]", &[0], &[]), ("[2]", &[1], &[3.0])],
    );
    check(&mut [[1.0, 2.0], [3.0, 4.0]], &[("[0]", &[2], &[1.0, 2.0]), ("[1]", &[2], &[3.0, 4.0])]);
    check(
        &mut vec![[[1.0_f32], [2.0]], [[3.0], [4.0]]],
        &[
            ("[0][0]", &[1], &[1.0]),
            ("[0][1]", &[1], &[2.0]),
            ("[1][0]", &[1], &[3.0]),
            ("[1][1]", &[1], &[4.0]),
        ],
    );
    check(
        &mut vec![array![1.0, 2.0], array![3.0]],
        &[("[0]", &[2], &[1.0, 2.0]), ("[1]", &[1], &[3.0])],
    );
    check(&mut Vec::<Array1<f64>>::new(), &[]);
}

#[test]
fn only_sequences_without_a_shape_are_flat() {
    struct Flatness(Vec<bool>);
    impl Visitor for Flatness {
        fn enter(&mut self, _: Step<'_>) {}
        fn leave(&mut self) {}
        fn block(&mut self, _: &[usize], scalars: &dyn Scalars) {
            self.0.push(scalars.is_flat());
        }
    }
    let mut flatness = Flatness(Vec::new());
    (1.0, vec![1.0], [1.0], array![1.0], arr0(1.0)).flatten(&mut flatness);
    assert_eq!(flatness.0, [true, true, true, false, false]);
}

// Arrays.

/// 0, 1, 2, .. in logical order, whatever the memory layout.
fn counted<D: Dimension>(shape: impl IntoDimension<Dim = D>) -> Array<f64, D> {
    let dim = shape.into_dimension();
    let values = (0..dim.size()).map(|i| i as f64).collect();
    Array::from_shape_vec(dim, values).expect("as many values as the shape has")
}

fn check_layouts<D: Dimension>(shape: impl IntoDimension<Dim = D>) {
    let mut rows = counted(shape);
    let shape = rows.shape().to_vec();
    let numbers: Vec<f64> = (0..rows.len()).map(|i| i as f64).collect();
    let expected = [("", &shape[..], &numbers[..])];

    assert!(rows.is_standard_layout());
    check(&mut rows, &expected);
    let single = rows.mapv(|x| x as f32);
    check(&mut single.clone(), &expected);
    check(&mut rows.clone().into_dyn(), &expected);

    let mut columns = Array::zeros(rows.raw_dim().f());
    columns.assign(&rows);
    if shape.len() > 1 {
        assert!(columns.as_slice().is_none(), "another layout than the one above");
        assert_ne!(columns.as_slice_memory_order().expect("contiguous"), numbers);
    }
    check(&mut columns, &expected);
    check(&mut columns.clone().into_dyn(), &expected);

    // Every second element of an array twice as long, read backwards, along each axis.
    for axis in (0..shape.len()).map(Axis) {
        let mut doubled = rows.raw_dim();
        doubled[axis.index()] *= 2;
        let mut wide = Array::from_elem(doubled, -1.0);
        let backwards = Slice::new(1, None, -2);
        wide.slice_axis_mut(axis, backwards).assign(&rows);
        check_read(&wide.slice_axis(axis, backwards), &expected);
        check(&mut wide.slice_axis_mut(axis, backwards), &expected);
        let between = wide.slice_axis(axis, Slice::new(0, None, 2));
        assert!(between.iter().all(|&x| x == -1.0), "what lies between stays as it was");

        let mut inverted = rows.clone();
        inverted.invert_axis(axis);
        let mut again = inverted.clone();
        again.invert_axis(axis);
        check(&mut again, &expected);
        if shape[axis.index()] > 1 {
            reads(&inverted, &expected).unwrap_err();
        }
    }
}

#[test]
fn arrays_of_every_rank_are_read_in_logical_order() {
    check_layouts(());
    check_layouts(5);
    check_layouts([3, 4]);
    check_layouts([2, 3, 4]);
    check_layouts([2, 3, 2, 3]);
    check_layouts([2, 1, 3, 2, 2]);
    check_layouts([2, 2, 1, 3, 2, 2]);
    check_layouts(vec![2, 2, 1, 2, 2, 1, 2]);
    check_layouts(vec![3, 2]);
    check_layouts(Vec::new());
}

#[test]
fn arrays_of_no_elements_are_blocks_still() {
    check(&mut Array2::<f64>::zeros((0, 3)), &[("", &[0, 3], &[])]);
    check(&mut Array2::<f64>::zeros((3, 0).f()), &[("", &[3, 0], &[])]);
    check(&mut ArrayD::<f64>::zeros(vec![0]), &[("", &[0], &[])]);
}

#[test]
fn a_transpose_is_not_its_original() {
    let a = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let expected: &Expected<'_> = &[("", &[3, 2], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0])];
    check_read(&a.t(), expected);
    check(&mut a.t().to_owned(), expected);
    check(&mut a.clone().reversed_axes(), expected);
    reads(&a, expected).unwrap_err();
}

#[test]
fn views_write_to_what_they_view() {
    let mut a = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    {
        let view: ArrayView2<'_, f64> = a.view();
        check_read(&view, &[("", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])]);
    }
    let mut column = a.column_mut(1);
    check(&mut column, &[("", &[2], &[2.0, 5.0])]);
    change(&mut column, |_, block| block.set(1, -5.0));
    let mut view: ArrayViewMut2<'_, f64> = a.view_mut();
    view.invert_axis(Axis(1));
    change(&mut view, |_, block| block.set(0, -3.0));
    assert_eq!(a, array![[1.0, 2.0, -3.0], [4.0, -5.0, 6.0]]);
}

/// A view may cover its memory without gaps and still not start at its lowest address.
#[test]
fn contiguous_views_read_backwards_are_read_in_logical_order() {
    let mut a = array![1.0, 2.0, 3.0];
    a.invert_axis(Axis(0));
    check(&mut a, &[("", &[3], &[3.0, 2.0, 1.0])]);
    let mut a = array![[1.0, 2.0], [3.0, 4.0]];
    a.invert_axis(Axis(0));
    check(&mut a, &[("", &[2, 2], &[3.0, 4.0, 1.0, 2.0])]);
    // Rows of stride 0.
    let row = array![1.0, 2.0];
    let broadcast = row.broadcast((2, 2)).expect("a row repeats");
    check_read(&broadcast, &[("", &[2, 2], &[1.0, 2.0, 1.0, 2.0])]);
}

#[test]
fn shared_arrays_are_copied_before_they_are_written() {
    let mut shared: ArcArray<f64, _> = array![1.0, 2.0].into_shared();
    let other = shared.clone();
    check(&mut shared, &[("", &[2], &[1.0, 2.0])]);
    change(&mut shared, |_, block| block.set(0, 9.0));
    assert_eq!(other, array![1.0, 2.0].into_shared());
    assert_eq!(shared[0], 9.0);

    let owner = array![1.0, 2.0];
    let mut cow = CowArray::from(owner.view());
    change(&mut cow, |_, block| block.set(0, 9.0));
    assert_eq!((cow[0], owner[0]), (9.0, 1.0));
}

// Structure.

#[test]
fn tuples_number_their_fields() {
    check(&mut (), &[]);
    check(&mut (1.0,), &[(".0", &[], &[1.0])]);
    check(
        &mut (array![[1.0], [2.0]], 3.0_f32, vec![4.0]),
        &[(".0", &[2, 1], &[1.0, 2.0]), (".1", &[], &[3.0]), (".2", &[1], &[4.0])],
    );
    check(
        &mut ((1.0, 2.0), (3.0,)),
        &[(".0.0", &[], &[1.0]), (".0.1", &[], &[2.0]), (".1.0", &[], &[3.0])],
    );
    let mut twelve = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0);
    let paths: Vec<String> = (0..12).map(|i| format!(".{i}")).collect();
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    let expected: Vec<(&str, &[usize], &[f64])> =
        (0..12).map(|i| (&paths[i][..], &[][..], &values[i..=i])).collect();
    check(&mut twelve, &expected);
}

#[test]
fn options_and_boxes_are_no_step() {
    check(&mut Some(array![1.0, 2.0]), &[("", &[2], &[1.0, 2.0])]);
    check(&mut None::<Array1<f64>>, &[]);
    check(&mut Box::new(1.0), &[("", &[], &[1.0])]);
    check(&mut Box::new(Some(vec![1.0])), &[("", &[1], &[1.0])]);
    check(&mut vec![Some(1.0), None, Some(3.0)], &[("[0]", &[], &[1.0]), ("[2]", &[], &[3.0])]);
    check(&mut (None::<f64>, Some(Box::new(array![2.0]))), &[(".1", &[1], &[2.0])]);
    let mut erased: Box<dyn FlattenMut> = Box::new((1.0, vec![2.0]));
    check(&mut erased, &[(".0", &[], &[1.0]), (".1", &[1], &[2.0])]);
}

#[test]
fn pointers_read_as_what_they_point_to() {
    let a = array![1.0, 2.0];
    let expected: &Expected<'_> = &[("", &[2], &[1.0, 2.0])];
    check_read(&&a, expected);
    check_read(&&&a, expected);
    check_read(&Rc::new(a.clone()), expected);
    check_read(&Arc::new(a.clone()), expected);
    check_read(&Cow::Borrowed(&a), expected);
    check_read(&Cow::<[f64]>::Owned(vec![1.0, 2.0]), expected);
    check_read(&(&a, &a), &[(".0", &[2], &[1.0, 2.0]), (".1", &[2], &[1.0, 2.0])]);
    check_read(&vec![&a], &[("[0]", &[2], &[1.0, 2.0])]);
    let mut a = a;
    check(&mut &mut a, expected);
    let mut b = array![3.0];
    check(&mut (&mut a, &mut b), &[(".0", &[2], &[1.0, 2.0]), (".1", &[1], &[3.0])]);
}

/// Text order, in which "W10" comes before "W2".
#[test]
fn maps_go_by_the_text_of_their_keys() {
    let entries = [("W2", 2.0), ("b1", 4.0), ("W10", 1.0), ("W1", 0.0), ("a \"quoted\" key", 3.0)];
    let expected: &Expected<'_> = &[
        (r#"["W1"]"#, &[], &[0.0]),
        (r#"["W10"]"#, &[], &[1.0]),
        (r#"["W2"]"#, &[], &[2.0]),
        (r#"["a \"quoted\" key"]"#, &[], &[3.0]),
        (r#"["b1"]"#, &[], &[4.0]),
    ];
    check(&mut BTreeMap::from(entries), expected);
    check(&mut HashMap::from(entries), expected);
    let owned = || entries.map(|(key, value)| (key.to_owned(), value));
    check(&mut BTreeMap::from(owned()), expected);
    check(&mut HashMap::from(owned()), expected);
    check(&mut HashMap::from(entries.map(|(key, value)| (Cow::Borrowed(key), value))), expected);
    check(&mut HashMap::from(entries.map(|(key, value)| (Box::<str>::from(key), value))), expected);
    check(&mut BTreeMap::<String, f64>::new(), &[]);
    check(&mut HashMap::<String, f64>::new(), &[]);
}

/// Fifty keys: a hash map that went by its own order would show it.
#[test]
fn every_hash_map_has_the_same_order() {
    let make = || -> HashMap<String, f64> {
        (0..50).map(|i| (format!("key {i:02}"), f64::from(i))).collect()
    };
    let sorted: Vec<f64> = (0..50).map(f64::from).collect();
    let unsorted = (0..4).map(|_| make()).any(|map| !map.into_values().eq(sorted.clone()));
    assert!(unsorted, "the maps' own order is not the one asked for");
    for _ in 0..4 {
        let mut map = make();
        assert_eq!(scalars(&map), sorted);
        let shown = change(&mut map, |first, block| block.set(0, first as f64 + 0.5));
        assert_eq!(shown[7].0, r#"["key 07"]"#);
        assert_eq!(map["key 07"], 7.5);
    }
}

#[test]
fn structures_nest() {
    type Layer = (Array2<f64>, Option<Vec<f32>>);
    let mut network: BTreeMap<String, Vec<Layer>> = BTreeMap::from([
        ("encoder".into(), vec![(array![[1.0, 2.0]], Some(vec![3.0])), (array![[4.0]], None)]),
        ("decoder".into(), vec![(array![[-1.0], [-2.0]], Some(vec![-3.0, -4.0]))]),
    ]);
    check(
        &mut network,
        &[
            (r#"["decoder"][0].0"#, &[2, 1], &[-1.0, -2.0]),
            (r#"["decoder"][0].1"#, &[2], &[-3.0, -4.0]),
            (r#"["encoder"][0].0"#, &[1, 2], &[1.0, 2.0]),
            (r#"["encoder"][0].1"#, &[1], &[3.0]),
            (r#"["encoder"][1].0"#, &[1, 1], &[4.0]),
        ],
    );
    let mut heads = [
        Some(Box::new(HashMap::from([("w", array![1.0]), ("b", array![0.5])]))),
        None,
        Some(Box::new(HashMap::from([("w", array![2.0])]))),
    ];
    check(
        &mut heads,
        &[
            (r#"[0]["b"]"#, &[1], &[0.5]),
            (r#"[0]["w"]"#, &[1], &[1.0]),
            (r#"[2]["w"]"#, &[1], &[2.0]),
        ],
    );
    check(
        &mut (vec![([1.0, 2.0], Array0::from_elem((), 3.0))], HashMap::from([("k", (4.0,))])),
        &[(".0[0].0", &[2], &[1.0, 2.0]), (".0[0].1", &[], &[3.0]), (r#".1["k"].0"#, &[], &[4.0])],
    );
}

// Precision.

/// What is stored after `value` is written to every scalar, by each of the two ways.
fn stored<T: FlattenMut>(mut target: T, value: f64) -> Vec<f64> {
    change(&mut target, |_, block| (0..block.len()).for_each(|i| block.set(i, value)));
    let one_by_one = scalars(&target);
    change(&mut target, |_, block| block.set_all(&vec![0.0; block.len()]));
    change(&mut target, |_, block| block.set_all(&vec![value; block.len()]));
    assert_eq!(scalars(&target), one_by_one);
    one_by_one
}

#[test]
fn single_precision_rounds_what_is_written() {
    let value = 1.0 + 1e-9;
    assert_eq!(stored(0.0_f64, value), [value]);
    assert_eq!(stored(0.0_f32, value), [1.0]);
    assert_eq!(stored(vec![0.0_f32; 2], 0.1), [f64::from(0.1_f32); 2]);
    assert_ne!(f64::from(0.1_f32), 0.1);
    assert_eq!(stored(Array2::<f32>::zeros((1, 2)), 0.1), [f64::from(0.1_f32); 2]);
    assert_eq!(stored(Array2::<f32>::zeros((2, 2).f()), 0.1), [f64::from(0.1_f32); 4]);
    assert_eq!(stored(Array2::<f64>::zeros((2, 2).f()), 0.1), [0.1; 4]);
    assert_eq!(stored((0.0_f32, 0.0_f64), 0.1), [f64::from(0.1_f32), 0.1]);
    // To the nearest: just over half the spacing above 1 goes up, just under goes down.
    let half = f64::from(f32::EPSILON) / 2.0;
    assert_eq!(stored(0.0_f32, 1.0 + 1.01 * half), [1.0 + 2.0 * half]);
    assert_eq!(stored(0.0_f32, 1.0 + 0.99 * half), [1.0]);
}

#[test]
fn each_block_has_the_roundoff_of_its_scalar() {
    struct Roundoffs(Vec<f64>);
    impl Visitor for Roundoffs {
        fn enter(&mut self, _: Step<'_>) {}
        fn leave(&mut self) {}
        fn block(&mut self, _: &[usize], scalars: &dyn Scalars) {
            self.0.push(scalars.roundoff());
        }
    }
    let (single, double) = (2.0_f64.powi(-24), 2.0_f64.powi(-53));
    let mut roundoffs = Roundoffs(Vec::new());
    (1.0_f32, 1.0_f64, vec![1.0_f32], array![1.0_f32], array![1.0_f64]).flatten(&mut roundoffs);
    assert_eq!(roundoffs.0, [single, double, single, single, double]);
}
