//! Recurrent cells and attention. Sequences are `[t, n, m]`.
use super::{
    Bug, Data, Model, Params, Real, Rng, Samples, add_bias, count, half_squares, mean_bugs,
    product, product_transposed, residuals, shift, sigmoid, sum_columns, transposed_product,
};

/// `w [h, x] + b` with the previous state above the input.
fn gate<F: Real>(w: &[F], b: &[F], joined: &[F], rows: usize, m: usize) -> Vec<F> {
    let mut z = product(w, joined, rows, m);
    add_bias(&mut z, b, m);
    z
}

fn map<F: Real>(values: &[F], f: impl Fn(F) -> F) -> Vec<F> {
    values.iter().map(|&v| f(v)).collect()
}

fn join<F: Real>(h: &[F], x: &[F]) -> Vec<F> {
    [h, x].concat()
}

fn add<F: Real>(into: &mut [F], values: &[F]) {
    into.iter_mut().zip(values).for_each(|(a, &b)| *a += b);
}

fn cell_draw(
    rng: &mut Rng,
    gates: &[(&'static str, &'static str)],
    sizes: (usize, usize, usize, usize),
) -> (Params<f64>, Data<f64>) {
    let (n, h, t, m) = sizes;
    let mut p = Params::new();
    for (w, _) in gates {
        p = p.with(w, &[h, h + n], rng.normals(h * (h + n), 0.8));
    }
    for (_, b) in gates {
        p = p.with(b, &[h], rng.normals(h, 0.3));
    }
    (p, Data::new(vec![rng.normals(t * n * m, 1.0), rng.normals(h * m, 0.5)]))
}

/// Long short-term memory: `c' = f c + i g`, `h' = o tanh(c')`; half squares of the last state.
#[derive(Clone, Debug)]
pub(crate) struct Lstm {
    pub(crate) n: usize,
    pub(crate) h: usize,
    pub(crate) t: usize,
    pub(crate) m: usize,
}

struct LstmStep<F> {
    joined: Vec<F>,
    gates: [Vec<F>; 4],
    pre: Vec<F>,
    before: Vec<F>,
    cell: Vec<F>,
}

impl Lstm {
    fn run<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> (Vec<LstmStep<F>>, Vec<F>) {
        let (rows, m) = (self.h + self.n, self.m);
        let mut h = vec![F::zero(); self.h * m];
        let mut c = h.clone();
        let mut steps = Vec::with_capacity(self.t);
        for x in x[0].chunks_exact(self.n * m) {
            let joined = join(&h, x);
            let z = |k: usize| gate(&p[k], &p[4 + k], &joined, rows, m);
            let (i, f, o) = (map(&z(0), sigmoid), map(&z(1), sigmoid), map(&z(2), sigmoid));
            let pre = z(3);
            let g = map(&pre, F::tanh);
            let before = c.clone();
            for j in 0..c.len() {
                c[j] = f[j] * c[j] + i[j] * g[j];
                h[j] = o[j] * c[j].tanh();
            }
            steps.push(LstmStep { joined, gates: [i, f, o, g], pre, before, cell: c.clone() });
        }
        (steps, h)
    }
}

impl Model for Lstm {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        half_squares(&self.run(p, x).1, &x[1], self.m)
    }

    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let (steps, out) = self.run(p, x);
        let (rows, m, one) = (self.h + self.n, self.m, F::one());
        let mut dh = residuals(&out, &x[1], m, bug);
        let mut dc = vec![F::zero(); dh.len()];
        let mut grad = p.zeros();
        for step in steps.iter().rev() {
            let [i, f, o, g] = &step.gates;
            let mut dz = [(); 4].map(|()| vec![F::zero(); dh.len()]);
            for j in 0..dh.len() {
                let t = step.cell[j].tanh();
                let slope = if bug == Bug::CellTanh { one } else { one - t * t };
                dc[j] += dh[j] * o[j] * slope;
                dz[0][j] = dc[j] * g[j] * i[j] * (one - i[j]);
                let forget = if bug == Bug::ForgetDerivative { one } else { f[j] * (one - f[j]) };
                dz[1][j] = dc[j] * step.before[j] * forget;
                dz[2][j] = dh[j] * t * o[j] * (one - o[j]);
                let a = if bug == Bug::TanhOfPre { step.pre[j] } else { g[j] };
                dz[3][j] = dc[j] * i[j] * (one - a * a);
                dc[j] = if bug == Bug::CellPath { F::zero() } else { dc[j] * f[j] };
            }
            let mut below = vec![F::zero(); rows * m];
            for k in 0..4 {
                let place = match (bug, k) {
                    (Bug::GatesSwapped, 0) => 1,
                    (Bug::GatesSwapped, 1) => 0,
                    _ => k,
                };
                if bug == Bug::StepOverwritten {
                    grad[place].fill(F::zero());
                    grad[4 + place].fill(F::zero());
                }
                add(&mut grad[place], &product_transposed(&dz[k], &step.joined, m));
                add(&mut grad[4 + place], &sum_columns(&dz[k], m, bug));
                add(&mut below, &transposed_product(&p[k], &dz[k], rows, m));
            }
            dh.copy_from_slice(&below[..self.h * m]);
            if bug == Bug::HiddenPath {
                dh.fill(F::zero());
            }
        }
        grad
    }

    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend([
            Bug::GatesSwapped,
            Bug::ForgetDerivative,
            Bug::CellPath,
            Bug::CellTanh,
            Bug::HiddenPath,
            Bug::StepOverwritten,
            Bug::TanhOfPre,
        ]);
        bugs
    }

    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n), ("h", self.h), ("t", self.t), ("m", self.m)]
    }

    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let gates = [("Wi", "bi"), ("Wf", "bf"), ("Wo", "bo"), ("Wg", "bg")];
        cell_draw(rng, &gates, (self.n, self.h, self.t, self.m))
    }

    fn biases(&self) -> &'static [&'static str] {
        &["bi", "bf", "bo", "bg"]
    }

    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }

    fn drive(&self, p: &Params<f64>, x: &Data<f64>) -> Option<(f64, Vec<usize>)> {
        let largest = (0..4)
            .flat_map(|k| {
                let zero = vec![0.0; self.h * self.m];
                let joined = join(&zero, &x[0][..self.n * self.m]);
                gate(&p[k], &p[4 + k], &joined, self.h + self.n, self.m)
            })
            .fold(1e-3_f64, |m, z| m.max(z.abs()));
        Some((largest, (0..8).collect()))
    }

    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        x.arrays[1] = self.run(p, x).1;
        true
    }
}

/// Gated recurrent unit: `h' = (1 - z) tanh(Wn [r h, x] + bn) + z h`.
#[derive(Clone, Debug)]
pub(crate) struct Gru {
    pub(crate) n: usize,
    pub(crate) h: usize,
    pub(crate) t: usize,
    pub(crate) m: usize,
}

struct GruStep<F> {
    before: Vec<F>,
    joined: Vec<F>,
    gated: Vec<F>,
    z: Vec<F>,
    r: Vec<F>,
    new: Vec<F>,
}

impl Gru {
    fn run<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> (Vec<GruStep<F>>, Vec<F>) {
        let (rows, m, one) = (self.h + self.n, self.m, F::one());
        // A state to forget from the first step on.
        let mut h: Vec<F> = x[2].to_vec();
        let mut steps = Vec::with_capacity(self.t);
        for x in x[0].chunks_exact(self.n * m) {
            let joined = join(&h, x);
            let z = map(&gate(&p[0], &p[3], &joined, rows, m), sigmoid);
            let r = map(&gate(&p[1], &p[4], &joined, rows, m), sigmoid);
            let reset: Vec<F> = r.iter().zip(&h).map(|(&r, &h)| r * h).collect();
            let gated = join(&reset, x);
            let new = map(&gate(&p[2], &p[5], &gated, rows, m), F::tanh);
            let before = h.clone();
            for j in 0..h.len() {
                h[j] = (one - z[j]) * new[j] + z[j] * h[j];
            }
            steps.push(GruStep { before, joined, gated, z, r, new });
        }
        (steps, h)
    }
}

impl Model for Gru {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        half_squares(&self.run(p, x).1, &x[1], self.m)
    }

    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let (steps, out) = self.run(p, x);
        let (rows, m, one) = (self.h + self.n, self.m, F::one());
        let mut dh = residuals(&out, &x[1], m, bug);
        let mut grad = p.zeros();
        for s in steps.iter().rev() {
            let len = dh.len();
            let dn: Vec<F> =
                (0..len).map(|j| dh[j] * (one - s.z[j]) * (one - s.new[j] * s.new[j])).collect();
            let dz: Vec<F> = (0..len)
                .map(|j| {
                    let by = s.before[j] - s.new[j];
                    let by = if bug == Bug::UpdateSign { -by } else { by };
                    dh[j] * by * s.z[j] * (one - s.z[j])
                })
                .collect();
            let dgated = transposed_product(&p[2], &dn, rows, m);
            let dr: Vec<F> = (0..len)
                .map(|j| match bug {
                    Bug::ResetPath => F::zero(),
                    _ => dgated[j] * s.before[j] * s.r[j] * (one - s.r[j]),
                })
                .collect();
            let mut below: Vec<F> = (0..len)
                .map(|j| {
                    let factor = if bug == Bug::ResetFactor { one } else { s.r[j] };
                    dh[j] * s.z[j] + dgated[j] * factor
                })
                .collect();
            add(&mut below, &transposed_product(&p[0], &dz, rows, m)[..len]);
            add(&mut below, &transposed_product(&p[1], &dr, rows, m)[..len]);
            for (k, (d, input)) in
                [(&dz, &s.joined), (&dr, &s.joined), (&dn, &s.gated)].into_iter().enumerate()
            {
                if bug == Bug::StepOverwritten {
                    grad[k].fill(F::zero());
                    grad[3 + k].fill(F::zero());
                }
                add(&mut grad[k], &product_transposed(d, input, m));
                add(&mut grad[3 + k], &sum_columns(d, m, bug));
            }
            dh = if bug == Bug::HiddenPath { vec![F::zero(); len] } else { below };
        }
        grad
    }

    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend([
            Bug::ResetPath,
            Bug::ResetFactor,
            Bug::UpdateSign,
            Bug::HiddenPath,
            Bug::StepOverwritten,
        ]);
        bugs
    }

    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n), ("h", self.h), ("t", self.t), ("m", self.m)]
    }

    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let gates = [("Wz", "bz"), ("Wr", "br"), ("Wn", "bn")];
        let (p, mut x) = cell_draw(rng, &gates, (self.n, self.h, self.t, self.m));
        x.arrays.push(rng.normals(self.h * self.m, 0.5));
        (p, x)
    }

    fn biases(&self) -> &'static [&'static str] {
        &["bz", "br", "bn"]
    }

    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }

    fn drive(&self, p: &Params<f64>, x: &Data<f64>) -> Option<(f64, Vec<usize>)> {
        let joined = join(&x[2], &x[0][..self.n * self.m]);
        let largest = (0..3)
            .flat_map(|k| gate(&p[k], &p[3 + k], &joined, self.h + self.n, self.m))
            .fold(1e-3_f64, |m, z| m.max(z.abs()));
        Some((largest, (0..6).collect()))
    }

    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        x.arrays[1] = self.run(p, x).1;
        true
    }
}

/// `h' = tanh(U h + W x + b)` over several steps with one set of weights; half squares of the
/// sum of all states.
#[derive(Clone, Debug)]
pub(crate) struct Recurrent {
    pub(crate) n: usize,
    pub(crate) h: usize,
    pub(crate) t: usize,
    pub(crate) m: usize,
}

impl Recurrent {
    /// Pre-activations and states, and the sum of the states.
    #[expect(clippy::type_complexity, reason = "used twice, named by its doc")]
    fn run<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> (Vec<(Vec<F>, Vec<F>)>, Vec<F>) {
        let mut h = vec![F::zero(); self.h * self.m];
        let mut sum = h.clone();
        let mut states = Vec::with_capacity(self.t);
        for x in x[0].chunks_exact(self.n * self.m) {
            let mut z = product(&p[0], &h, self.h, self.m);
            add(&mut z, &product(&p[1], x, self.n, self.m));
            add_bias(&mut z, &p[2], self.m);
            h = map(&z, F::tanh);
            add(&mut sum, &h);
            states.push((z, h.clone()));
        }
        (states, sum)
    }
}

impl Model for Recurrent {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        half_squares(&self.run(p, x).1, &x[1], self.m)
    }

    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let (states, sum) = self.run(p, x);
        let (m, one) = (self.m, F::one());
        let each = residuals(&sum, &x[1], m, bug);
        let mut dh = vec![F::zero(); each.len()];
        let mut g = p.zeros();
        for t in (0..self.t).rev() {
            add(&mut dh, &each);
            let (z, h) = &states[t];
            let dz: Vec<F> = (0..dh.len())
                .map(|j| {
                    let a = if bug == Bug::TanhOfPre { z[j] } else { h[j] };
                    dh[j] * (one - a * a)
                })
                .collect();
            if bug == Bug::StepOverwritten {
                g = p.zeros();
            }
            if t > 0 {
                add(&mut g[0], &product_transposed(&dz, &states[t - 1].1, m));
            }
            let input = &x[0][t * self.n * m..(t + 1) * self.n * m];
            add(&mut g[1], &product_transposed(&dz, input, m));
            add(&mut g[2], &sum_columns(&dz, m, bug));
            dh = match bug {
                Bug::HiddenPath => vec![F::zero(); dh.len()],
                Bug::WeightsNotTransposed => product(&p[0], &dz, self.h, m),
                _ => transposed_product(&p[0], &dz, self.h, m),
            };
        }
        g
    }

    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.m);
        bugs.extend([
            Bug::HiddenPath,
            Bug::StepOverwritten,
            Bug::WeightsNotTransposed,
            Bug::TanhOfPre,
        ]);
        bugs
    }

    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("n", self.n), ("h", self.h), ("t", self.t), ("m", self.m)]
    }

    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let (n, h, t, m) = (self.n, self.h, self.t, self.m);
        let p = Params::new()
            .with("U", &[h, h], rng.normals(h * h, 0.6))
            .with("W", &[h, n], rng.normals(h * n, 0.6))
            .with("b", &[h], rng.normals(h, 0.3));
        (p, Data::new(vec![rng.normals(t * n * m, 1.0), rng.normals(h * m, 1.0)]))
    }

    fn biases(&self) -> &'static [&'static str] {
        &["b"]
    }

    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }

    fn drive(&self, p: &Params<f64>, x: &Data<f64>) -> Option<(f64, Vec<usize>)> {
        let mut z = product(&p[1], &x[0][..self.n * self.m], self.n, self.m);
        add_bias(&mut z, &p[2], self.m);
        Some((z.iter().fold(1e-3_f64, |m, z| m.max(z.abs())), vec![0, 1, 2]))
    }

    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        x.arrays[1] = self.run(p, x).1;
        true
    }
}

/// One head of scaled dot-product attention over `t` tokens of `d` features, `[d, t]`, and an
/// output matrix; half squares over the tokens.
#[derive(Clone, Debug)]
pub(crate) struct Attention {
    pub(crate) d: usize,
    pub(crate) k: usize,
    pub(crate) t: usize,
    pub(crate) causal: bool,
}

struct Attended<F> {
    q: Vec<F>,
    k: Vec<F>,
    v: Vec<F>,
    /// `[t, t]`, a row for each query.
    weights: Vec<F>,
    mixed: Vec<F>,
    out: Vec<F>,
}

impl Attention {
    fn scores<F: Real>(&self, q: &[F], k: &[F]) -> Vec<F> {
        let (t, scale) = (self.t, F::one() / count::<F>(self.k).sqrt());
        let mut s = vec![F::zero(); t * t];
        for i in 0..t {
            for j in 0..t {
                s[i * t + j] =
                    scale * (0..self.k).fold(F::zero(), |s, r| s + q[r * t + i] * k[r * t + j]);
            }
        }
        s
    }
    fn run<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> Attended<F> {
        let t = self.t;
        let [q, k, v] = [0, 1, 2].map(|b| product(&p[b], &x[0], self.d, t));
        let mut weights = self.scores(&q, &k);
        for (i, row) in weights.chunks_exact_mut(t).enumerate() {
            let seen = if self.causal { i + 1 } else { t };
            let top = shift(row[..seen].iter().copied());
            row[..seen].iter_mut().for_each(|s| *s = (*s - top).exp());
            row[seen..].fill(F::zero());
            let sum = super::total(row);
            row.iter_mut().for_each(|s| *s /= sum);
        }
        let mut mixed = vec![F::zero(); self.k * t];
        for r in 0..self.k {
            for i in 0..t {
                mixed[r * t + i] =
                    (0..t).fold(F::zero(), |s, j| s + weights[i * t + j] * v[r * t + j]);
            }
        }
        let out = product(&p[3], &mixed, self.k, t);
        Attended { q, k, v, weights, mixed, out }
    }
}

impl Model for Attention {
    fn forward<F: Real>(&self, p: &Params<F>, x: &Data<F>) -> F {
        half_squares(&self.run(p, x).out, &x[1], self.t)
    }

    fn backward<F: Real>(&self, p: &Params<F>, x: &Data<F>, bug: Bug) -> Params<F> {
        let a = self.run(p, x);
        let (t, w) = (self.t, &a.weights);
        let dout = residuals(&a.out, &x[1], t, bug);
        let mut g = p.zeros();
        g[3].copy_from_slice(&product_transposed(&dout, &a.mixed, t));
        let dmixed = transposed_product(&p[3], &dout, self.k, t);
        let mut dv = vec![F::zero(); self.k * t];
        let mut ds = vec![F::zero(); t * t];
        let scale =
            if bug == Bug::ScoreScale { F::one() } else { F::one() / count::<F>(self.k).sqrt() };
        for i in 0..t {
            let mut dw = vec![F::zero(); t];
            for j in 0..t {
                for r in 0..self.k {
                    dw[j] += dmixed[r * t + i] * a.v[r * t + j];
                    dv[r * t + j] += w[i * t + j] * dmixed[r * t + i];
                }
            }
            let row = &w[i * t..(i + 1) * t];
            let sum = super::dot(row, &dw);
            for j in 0..t {
                let weight = if bug == Bug::CausalMask && self.causal && j > i {
                    F::one() / count(t)
                } else {
                    row[j]
                };
                ds[i * t + j] = scale
                    * match bug {
                        Bug::SoftmaxDiagonal => weight * (F::one() - weight) * dw[j],
                        Bug::SoftmaxNoSum => weight * dw[j],
                        _ => weight * (dw[j] - sum),
                    };
            }
        }
        let (mut dq, mut dk) = (vec![F::zero(); self.k * t], vec![F::zero(); self.k * t]);
        for r in 0..self.k {
            for i in 0..t {
                for j in 0..t {
                    dq[r * t + i] += ds[i * t + j] * a.k[r * t + j];
                    dk[r * t + j] += ds[i * t + j] * a.q[r * t + i];
                }
            }
        }
        if bug == Bug::KeysQueries {
            std::mem::swap(&mut dq, &mut dk);
        }
        for (block, d) in [dq, dk, dv].iter().enumerate() {
            g[block].copy_from_slice(&product_transposed(d, &x[0], t));
        }
        g
    }

    fn bugs(&self) -> Vec<Bug> {
        let mut bugs = mean_bugs(self.t);
        bugs.push(Bug::HalfSquareTwo);
        if self.t > 1 {
            bugs.extend([
                Bug::ScoreScale,
                Bug::SoftmaxDiagonal,
                Bug::SoftmaxNoSum,
                Bug::KeysQueries,
            ]);
            if self.causal {
                bugs.push(Bug::CausalMask);
            }
        }
        bugs
    }

    fn dims(&self) -> Vec<(&'static str, usize)> {
        vec![("d", self.d), ("k", self.k), ("m", self.t)]
    }

    fn draw(&self, rng: &mut Rng) -> (Params<f64>, Data<f64>) {
        let (d, k, t) = (self.d, self.k, self.t);
        let p = Params::new()
            .with("Wq", &[k, d], rng.normals(k * d, 0.8))
            .with("Wk", &[k, d], rng.normals(k * d, 0.8))
            .with("Wv", &[k, d], rng.normals(k * d, 0.8))
            .with("Wo", &[d, k], rng.normals(d * k, 0.8));
        (p, Data::new(vec![rng.normals(d * t, 1.0), rng.normals(d * t, 1.0)]))
    }

    fn features(&self) -> Option<Samples> {
        Some(Samples::Last)
    }

    fn drive(&self, p: &Params<f64>, x: &Data<f64>) -> Option<(f64, Vec<usize>)> {
        let a = self.run(p, x);
        let largest = self.scores(&a.q, &a.k).iter().fold(1e-3_f64, |m, s| m.max(s.abs()));
        Some((largest, vec![0]))
    }

    fn fit(&self, p: &Params<f64>, x: &mut Data<f64>) -> bool {
        x.arrays[1] = self.run(p, x).out;
        true
    }
}
