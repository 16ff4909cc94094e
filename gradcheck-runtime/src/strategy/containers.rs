//! Elements in other containers than `ndarray`'s, and complex ones.
use std::fmt::Debug;

use ndarray::Array1;
use proptest::strategy::{Map, Strategy};

/// A container that an array can be poured into: `A` is the array's type.
///
/// | array | container |
/// | --- | --- |
/// | `Array1<T>` | `Vec<T>` |
/// | `Array1<T>` | `nalgebra`'s `DVector`, `SVector`, `Vector3`, .., row vectors and points |
/// | `Array2<T>` | `nalgebra`'s `DMatrix`, `SMatrix`, `Matrix2x3`, .. |
/// | `Array1<T>` | `faer::Col`, `faer::Row` |
/// | `Array2<T>` | `faer::Mat` |
#[diagnostic::on_unimplemented(
    message = "no `{Self}` can be made of an `{A}`",
    label = "not a container of as many axes",
    note = "types of nalgebra and faer: a feature of that name of gradcheck-runtime"
)]
pub trait FromArray<A> {
    /// The same elements, by the same indices.
    ///
    /// # Panics
    /// Where the container has another size by its type.
    fn from_array(array: A) -> Self;
}

impl<T: Clone> FromArray<Array1<T>> for Vec<T> {
    fn from_array(array: Array1<T>) -> Vec<T> {
        array.into_raw_vec_and_offset().0
    }
}

/// Draws in other containers. In scope of the expressions inside the attribute.
pub trait ToContainer: Strategy + Sized {
    /// The array that is drawn, poured into a `C`: the type that the use asks for, or the one
    /// named.
    ///
    /// ```
    /// use gradcheck_runtime::{proptest::prelude::*, strategy::{ToContainer as _, uniform}};
    ///
    /// proptest!(|(rates in uniform(3, 0.1..1.0).to::<Vec<f64>>())| {
    ///     prop_assert_eq!(rates.len(), 3);
    /// });
    /// ```
    fn to<C: FromArray<Self::Value> + Debug>(self) -> Map<Self, fn(Self::Value) -> C> {
        self.prop_map(C::from_array)
    }
}

impl<S: Strategy> ToContainer for S {}

#[cfg(feature = "num-complex")]
mod complex {
    use std::fmt::Debug;

    use ndarray::{Array, Dimension};
    use num_complex::Complex;
    use num_traits::Float;
    use proptest::strategy::{Map, Strategy};

    use crate::strategy::Elements;

    /// What [`Elements::complex`] draws: real and imaginary parts, and how they are joined.
    type Joined<F, D> = Map<
        (Elements<F, D>, Elements<F, D>),
        fn((Array<F, D>, Array<F, D>)) -> Array<Complex<F>, D>,
    >;

    impl<F: Float + Debug + 'static, D: Dimension> Elements<F, D> {
        /// Complex elements, real and imaginary part each drawn as these are.
        ///
        /// ```
        /// use gradcheck_runtime::{proptest::prelude::*, strategy::normal};
        ///
        /// proptest!(|(z in normal::<f64, _>(3).complex())| {
        ///     prop_assert!(z.iter().all(|z| z.re != z.im));
        /// });
        /// ```
        pub fn complex(self) -> Joined<F, D> {
            (self.clone(), self).prop_map(|(re, im)| {
                let parts = re.iter().zip(&im).map(|(&re, &im)| Complex { re, im }).collect();
                Array::from_shape_vec(re.raw_dim(), parts).expect("two arrays of one shape")
            })
        }
    }
}

#[cfg(feature = "nalgebra")]
mod nalgebra {
    use nalgebra::allocator::Allocator;
    use nalgebra::{DefaultAllocator, Dim, DimName, OMatrix, OPoint, Scalar, U1};
    use ndarray::{Array1, Array2};

    use super::FromArray;

    /// A dimension of this extent.
    fn sized<D: Dim>(extent: usize, what: &str) -> D {
        if let Some(fixed) = D::try_to_usize() {
            assert_eq!(extent, fixed, "{what} drawn, and by the type");
        }
        D::from_usize(extent)
    }

    impl<T, R, C> FromArray<Array2<T>> for OMatrix<T, R, C>
    where
        T: Scalar,
        R: Dim,
        C: Dim,
        DefaultAllocator: Allocator<R, C>,
    {
        fn from_array(array: Array2<T>) -> Self {
            let (rows, columns) = array.dim();
            let extents = (sized(rows, "rows"), sized(columns, "columns"));
            OMatrix::from_fn_generic(extents.0, extents.1, |i, j| array[[i, j]].clone())
        }
    }

    impl<T, R, C> FromArray<Array1<T>> for OMatrix<T, R, C>
    where
        T: Scalar,
        R: Dim,
        C: Dim,
        DefaultAllocator: Allocator<R, C>,
    {
        fn from_array(array: Array1<T>) -> Self {
            let lies = R::try_to_usize() == Some(1);
            let (rows, columns) = if lies { (1, array.len()) } else { (array.len(), 1) };
            let extents = (sized(rows, "elements"), sized(columns, "elements"));
            OMatrix::from_fn_generic(extents.0, extents.1, |i, j| array[i + j].clone())
        }
    }

    impl<T, D> FromArray<Array1<T>> for OPoint<T, D>
    where
        T: Scalar,
        D: DimName,
        DefaultAllocator: Allocator<D> + Allocator<D, U1>,
    {
        fn from_array(array: Array1<T>) -> Self {
            OPoint { coords: FromArray::from_array(array) }
        }
    }
}

#[cfg(feature = "faer")]
mod faer {
    use faer::{Col, Mat, Row};
    use ndarray::{Array1, Array2};

    use super::FromArray;

    impl<T: Clone> FromArray<Array2<T>> for Mat<T> {
        fn from_array(array: Array2<T>) -> Self {
            let (rows, columns) = array.dim();
            Mat::from_fn(rows, columns, |i, j| array[[i, j]].clone())
        }
    }

    impl<T: Clone> FromArray<Array1<T>> for Col<T> {
        fn from_array(array: Array1<T>) -> Self {
            Col::from_fn(array.len(), |i| array[i].clone())
        }
    }

    impl<T: Clone> FromArray<Array1<T>> for Row<T> {
        fn from_array(array: Array1<T>) -> Self {
            Row::from_fn(array.len(), |j| array[j].clone())
        }
    }
}
