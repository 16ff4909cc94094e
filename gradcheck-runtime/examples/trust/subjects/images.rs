//! Convolution and max pooling. Images are `[m, channels, height, width]`.
use super::{
    Bug, Data, Model, Params, Real, Rng, Samples, dot, half_squares, mean_bugs, residuals,
};

/// Extents of one convolution with square kernels of 3.
#[derive(Clone, Copy)]
struct Extents {
    m: usize,
    inputs: usize,
    outputs: usize,
    height: usize,
    width: usize,
    pad: usize,
    stride: usize,
}

const SIDE: usize = 3;

impl Extents {
    fn out(&self) -> (usize, usize) {
        let along = |n: usize| (n + 2 * self.pad - SIDE) / self.stride + 1;
        (along(self.height), along(self.width))
    }
    /// Calls `f(output, kernel, input)` for every product of the convolution, with positions.
    fn each(&self, mut f: impl FnMut(usize, usize, usize, usize)) {
        let (oh, ow) = self.out();
        for s in 0..self.m {
            for o in 0..self.outputs {
                for r in 0..oh {
                    for c in 0..ow {
                        let out = ((s * self.outputs + o) * oh + r) * ow + c;
                        for i in 0..self.inputs {
                            for kr in 0..SIDE {
                                for kc in 0..SIDE {
                                    let row = (r * self.stride + kr).wrapping_sub(self.pad);
                                    let column = (c * self.stride + kc).wrapping_sub(self.pad);
                                    if row >= self.height || column >= self.width {
                                        continue;
                                    }
                                    let k = ((o * self.inputs + i) * SIDE + kr) * SIDE + kc;
                                    let x = ((s * self.inputs + i) * self.height + row)
                                        * self.width
                                        + column;
                                    f(out, k, x, column);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    /// Products first, the bias last: equal patches give equal results.
    fn forward<F: Real>(&self, x: &[F], kernel: &[F], bias: &[F]) -> Vec<F> {
        let (oh, ow) = self.out();
        let mut out = vec![F::zero(); self.m * self.outputs * oh * ow];
        self.each(|o, k, i, _| out[o] += kernel[k] * x[i]);
        for (plane, values) in out.chunks_exact_mut(oh * ow).enumerate() {
            values.iter_mut().for_each(|v| *v += bias[plane % self.outputs]);
        }
        out
    }
    /// Gradients by kernel, bias and input.
    fn backward<F: Real>(
        &self,
        x: &[F],
        kernel: &[F],
        d: &[F],
        bug: Bug,
    ) -> (Vec<F>, Vec<F>, Vec<F>) {
        let (oh, ow) = self.out();
        let (mut dk, mut dx) = (vec![F::zero(); kernel.len()], vec![F::zero(); x.len()]);
        let flip =
            |k: usize| k / (SIDE * SIDE) * SIDE * SIDE + (SIDE * SIDE - 1 - k % (SIDE * SIDE));
        self.each(|o, k, i, column| {
            let missed = bug == Bug::ConvPadding && self.pad > 0 && column + 1 == self.width;
            if !missed {
                let place = match bug {
                    Bug::ConvFlippedKernel => flip(k),
                    Bug::ConvChannels => {
                        let (plane, rest) = (k / (SIDE * SIDE), k % (SIDE * SIDE));
                        (self.inputs * self.outputs - 1 - plane) * SIDE * SIDE + rest
                    }
                    _ => k,
                };
                dk[place] += d[o] * x[i];
            }
            dx[i] += d[o] * kernel[if bug == Bug::ConvFlippedInput { flip(k) } else { k }];
        });
        let mut db = vec![F::zero(); self.outputs];
        for (plane, values) in d.chunks_exact(oh * ow).enumerate() {
            let o = plane % self.outputs;
            match bug {
                Bug::BiasFirst if plane >= self.outputs => {}
                Bug::BiasFirst => db[o] = values[0],
                Bug::BiasLast => db[o] = values[values.len() - 1],
                _ => db[o] += values.iter().fold(F::zero(), |s, &v| s + v),
            }
        }
        (dk, db, dx)
    }
}

/// Two convolutions with tanh between; the first padded by one, the second strided.
#[derive(Clone, Debug)]
pub(crate) struct Convolution {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) stride: usize,
    pub(crate) m: usize,
}

impl Convolution {
    fn extents(&self) -> (Extents, Extents) {
        let (height, width, m) = (self.height, self.width, self.m);
        let c = self.channels;
        (
            Extents { m, inputs: 1, outputs: c, height, width, pad: 1, stride: 1 },
            Extents { m, inputs: c, outputs: 1, height, width, pad: 0, stride: self.stride },
        )
    }
    /// Hidden layer and output.
    fn run<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> (Vec<F>, Vec<F>) {
        let (first, second) = self.extents();
        let a: Vec<F> =
            first.forward(&x[0], &p[0], &p[1]).into_iter().map(num_traits::Float::tanh).collect();
        let out = second.forward(&a, &p[2], &p[3]);
        (a, out)
    }
}

impl Model for Convolution {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        half_squares(&self.run(p, x).1, &x[1], self.m)
    }

    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let (first, second) = self.extents();
        let (a, out) = self.run(p, x);
        let d = image_residuals(&out, &x[1], self.m, bug);
        let inner = if bug == Bug::ConvChannels && self.channels > 1 { Bug::None } else { bug };
        let (dk2, db2, da) = second.backward(&a, &p[2], &d, bug);
        let dz: Vec<F> = da
            .iter()
            .zip(&a)
            .map(|(&d, &a)| if bug == Bug::TanhForgotten { d } else { d * (F::one() - a * a) })
            .collect();
        let (dk1, db1, _) = first.backward(&x[0], &p[0], &dz, inner);
        let mut g = p.zeros();
        for (block, values) in [dk1, db1, dk2, db2].iter().enumerate() {
            g[block].copy_from_slice(values);
        }
        g
    }

    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend([
            Bug::BiasFirst,
            Bug::BiasLast,
            Bug::ConvFlippedKernel,
            Bug::ConvFlippedInput,
            Bug::ConvPadding,
            Bug::TanhForgotten,
        ]);
        if self.channels > 1 {
            bugs.push(Bug::ConvChannels);
        }
        bugs
    }

    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("height", self.height), ("width", self.width), ("c", self.channels), ("m", self.m)]
    }

    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let c = self.channels;
        let p = Params::new()
            .with("K1", &[c, 1, SIDE, SIDE], rng.normals(c * 9, 0.4))
            .with("b1", &[c], rng.normals(c, 0.2))
            .with("K2", &[1, c, SIDE, SIDE], rng.normals(c * 9, 0.4))
            .with("b2", &[1], rng.normals(1, 0.2));
        let (oh, ow) = self.extents().1.out();
        let x = rng.normals(self.m * self.height * self.width, 1.0);
        (p, Data::new(vec![x, rng.normals(self.m * oh * ow, 1.0)]))
    }

    fn biases(&self) -> &'static [&'static str] {
        &["b1", "b2"]
    }

    fn features(&self) -> Option<Samples> {
        Some(Samples::First)
    }

    fn drive(&self, p: &Params<f64>, x: &Data<f64>) -> Option<(f64, Vec<usize>)> {
        let z = self.extents().0.forward(&x[0], &p[0], &p[1]);
        Some((z.iter().fold(1e-3_f64, |m, z| m.max(z.abs())), vec![0, 1]))
    }

    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        x.arrays[1] = self.run(p, x).1;
        true
    }
}

/// The residuals of samples that are the *first* axis.
fn image_residuals<F: Real>(out: &[F], y: &[F], m: usize, bug: Bug) -> Vec<F> {
    let each = out.len() / m;
    let all = matches!(bug, Bug::FirstSample | Bug::LastSampleDropped);
    let mut d = residuals(out, y, m, if all { Bug::None } else { bug });
    for (s, d) in d.chunks_exact_mut(each).enumerate() {
        d.iter_mut().for_each(|d| *d *= super::sample_factor::<F>(s, m, bug));
    }
    d
}

/// Convolution of a 6 x 6 image, max pool of 2 x 2, a weight for each pooled value, half squares.
///
/// The images have a flat background, so that windows tie and stay tied however the kernel
/// moves: no kink there, and the gradient belongs to *one* of the equals.
#[derive(Clone, Debug)]
pub(crate) struct MaxPool {
    pub(crate) channels: usize,
    pub(crate) m: usize,
}

const IMAGE: usize = 6;
const CONVOLVED: usize = 4;
const POOLED: usize = 2;

impl MaxPool {
    fn extents(&self) -> Extents {
        Extents {
            m: self.m,
            inputs: 1,
            outputs: self.channels,
            height: IMAGE,
            width: IMAGE,
            pad: 0,
            stride: 1,
        }
    }
    /// The four places of each pooling window.
    fn windows(&self) -> impl Iterator<Item = [usize; 4]> {
        (0..self.m * self.channels * POOLED * POOLED).map(|w| {
            let (plane, r, c) = (w / 4, w / 2 % 2, w % 2);
            let at = |i: usize, j: usize| (plane * CONVOLVED + 2 * r + i) * CONVOLVED + 2 * c + j;
            [at(0, 0), at(0, 1), at(1, 0), at(1, 1)]
        })
    }
    /// Convolved values, pooled values and one output a sample.
    fn run<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> (Vec<F>, Vec<F>, Vec<F>) {
        let z = self.extents().forward(&x[0], &p[0], &p[1]);
        let pooled: Vec<F> = self
            .windows()
            .map(|w| w[1..].iter().fold(z[w[0]], |m, &i| if z[i] > m { z[i] } else { m }))
            .collect();
        let out = pooled.chunks_exact(p[2].len()).map(|v| dot(v, &p[2])).collect();
        (z, pooled, out)
    }
}

impl Model for MaxPool {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        half_squares(&self.run(p, x).2, &x[1], self.m)
    }

    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let (z, pooled, out) = self.run(p, x);
        let d = residuals(&out, &x[1], self.m, bug);
        let each = p[2].len();
        let mut g = p.zeros();
        let mut dz = vec![F::zero(); z.len()];
        for (w, window) in self.windows().enumerate() {
            let (sample, weight) = (w / each, w % each);
            g[2][weight] += d[sample] * pooled[w];
            let dv = d[sample] * p[2][weight];
            let mut left = true;
            for &i in &window {
                match bug {
                    Bug::PoolFirst => dz[window[0]] = dv,
                    Bug::PoolAverage => dz[i] = dv * super::lit(0.25),
                    Bug::PoolAllTies if z[i] == pooled[w] => dz[i] = dv,
                    _ if z[i] == pooled[w] && left => {
                        dz[i] = dv;
                        left = false;
                    }
                    _ => {}
                }
            }
        }
        let (dk, db, _) = self.extents().backward(&x[0], &p[0], &dz, bug);
        g[0].copy_from_slice(&dk);
        g[1].copy_from_slice(&db);
        g
    }

    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend([
            Bug::PoolAllTies,
            Bug::PoolFirst,
            Bug::PoolAverage,
            Bug::ConvFlippedKernel,
            Bug::TargetForgotten,
        ]);
        bugs
    }

    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("c", self.channels), ("m", self.m)]
    }

    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let c = self.channels;
        let p = Params::new()
            .with("K", &[c, 1, SIDE, SIDE], rng.normals(c * 9, 0.5))
            .with("b", &[c], rng.normals(c, 0.3))
            .with("v", &[c, POOLED, POOLED], rng.normals(c * 4, 0.7));
        let mut x = Vec::new();
        for _ in 0..self.m {
            let (background, row, column) = (rng.uniform(-0.5, 0.5), rng.below(4), rng.below(4));
            for i in 0..IMAGE * IMAGE {
                let (r, c) = (i / IMAGE, i % IMAGE);
                let object = (row..row + 3).contains(&r) && (column..column + 3).contains(&c);
                x.push(if object { rng.normal() } else { background });
            }
        }
        (p, Data::new(vec![x, rng.normals(self.m, 1.0)]))
    }

    fn biases(&self) -> &'static [&'static str] {
        &["b"]
    }

    fn features(&self) -> Option<Samples> {
        Some(Samples::First)
    }

    /// Two patches of the first window that differ by an exchange of two pixels, and a kernel
    /// that weighs the two alike.
    fn kink(&self, rng: &mut Rng, p: &mut Params<f64>, x: &mut Data<f64>, offset: f64) -> bool {
        // Patch 0 starts at column 0, patch 1 at column 1 of the same rows. With columns
        // 0 and 1 of the top row exchanged between the patches and all else equal:
        let (a, b) = (rng.normal(), rng.normal());
        let image = &mut x.arrays[0][..IMAGE * IMAGE];
        for row in 0..SIDE {
            // Patch 0 sees columns 0 to 2, patch 1 columns 1 to 3.
            let (v0, v1) = if row == 0 { (a, b) } else { (0.3, 0.3) };
            image[row * IMAGE] = v0;
            image[row * IMAGE + 1] = v1;
            image[row * IMAGE + 2] = v0;
            image[row * IMAGE + 3] = v1;
        }
        // Patch 0: (a, b, a), patch 1: (b, a, b); K0 a + K1 b + K2 a = K0 b + K1 a + K2 b
        // where K2 = 0 and K0 = K1. The rest of the window is pushed down.
        p[0][0] = p[0][1] + offset;
        p[0][2] = 0.0;
        let lowered = p[0][6..9].iter().map(|k| -3.0 * k.signum()).collect::<Vec<_>>();
        for column in 0..4 {
            image[SIDE * IMAGE + column] = lowered[column.min(2)];
        }
        true
    }

    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        x.arrays[1] = self.run(p, x).2;
        true
    }
}
