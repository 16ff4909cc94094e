//! Curves as plain SVG, drawn in units that a phone shows one to one.
use std::fmt::Write as _;

use super::html::{Esc, power, short};
use crate::record::{State, StatesAre, Sweep, Training};

const WIDTH: f64 = 440.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 12.0;

/// A range of values, and where it stands on the page.
struct Axis {
    low: f64,
    high: f64,
    log: bool,
    /// Counts: no ticks between whole numbers.
    whole: bool,
    from: f64,
    to: f64,
}

impl Axis {
    fn counts(values: impl Iterator<Item = f64>) -> Axis {
        // Marks of some size stand clear of the axes.
        Axis { whole: true, ..Axis::linear(values, LEFT + 10.0, WIDTH - RIGHT - 10.0) }
    }

    /// Whole powers of ten around the positive values.
    fn log(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Axis {
        let sizes = values.filter(|v| v.is_finite() && *v > 0.0).map(f64::log10);
        let (low, high) = sizes.fold((f64::NAN, f64::NAN), |(l, h), v| (v.min(l), v.max(h)));
        let (low, high) = if low.is_nan() { (-1.0, 0.0) } else { (low.floor(), high.ceil()) };
        Axis { low, high: high.max(low + 1.0), log: true, whole: false, from, to }
    }

    fn linear(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Axis {
        let finite = values.filter(|v| v.is_finite());
        let (low, high) = finite.fold((f64::NAN, f64::NAN), |(l, h), v| (v.min(l), v.max(h)));
        let (low, high) = if low.is_nan() { (0.0, 1.0) } else { (low, high) };
        let room = if high > low { 0.0 } else { 0.5 * low.abs().max(1.0) };
        Axis { low: low - room, high: high + room, log: false, whole: false, from, to }
    }

    /// Where a value stands; outside the range, at its end.
    fn at(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        let part = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + part * (self.to - self.from)
    }

    fn holds(&self, value: f64) -> bool {
        let value = if self.log { value.log10() } else { value };
        (self.low - 1e-9..=self.high + 1e-9).contains(&value)
    }

    fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        let span = self.high - self.low;
        if self.log {
            let step = (1..).find(|step| span / f64::from(*step) <= most as f64).unwrap_or(1);
            let first = (self.low / f64::from(step)).ceil() as i32;
            return (first..)
                .map(|k| k * step)
                .take_while(|&e| f64::from(e) <= self.high)
                .map(|e| (10.0_f64.powi(e), power(e)))
                .collect();
        }
        let rough = span / most as f64;
        let decade = 10.0_f64.powf(rough.log10().floor());
        let round = [1.0, 2.0, 5.0, 10.0].map(|k| k * decade);
        let step = round.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let step = if self.whole { step.max(1.0) } else { step };
        let first = (self.low / step).ceil();
        (0..=most)
            .map(|k| (first + k as f64) * step)
            .take_while(|v| *v <= self.high + 1e-9 * span)
            .map(|v| (v, tick(v, step)))
            .collect()
    }
}

fn tick(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).max(0.0) as usize;
    if digits <= 4 && value.abs() < 1e5 { format!("{value:.digits$}") } else { short(value) }
}

/// A drawing with two axes.
struct Panel {
    x: Axis,
    y: Axis,
    body: String,
}

impl Panel {
    /// Grid lines and ticks; `below` names the horizontal axis.
    fn scales(&mut self, below: Option<&str>, ticks: usize) {
        let (left, right) = (LEFT, WIDTH - RIGHT);
        let (bottom, top) = (self.y.from, self.y.to);
        let body = &mut self.body;
        for (value, text) in self.y.ticks(ticks) {
            let y = self.y.at(value);
            let _ = write!(
                body,
                "<path class=\"grid\" d=\"M{left} {y:.1}H{right}\"/><text x=\"{:.1}\" \
                 y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                left - 7.0,
                y + 4.0,
            );
        }
        let _ = write!(body, "<path class=\"axis\" d=\"M{left} {top}V{bottom}H{right}\"/>");
        let Some(below) = below else { return };
        for (value, text) in self.x.ticks(6) {
            let x = self.x.at(value);
            let _ = write!(
                body,
                "<path class=\"axis\" d=\"M{x:.1} {bottom}v4\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
                 text-anchor=\"middle\">{text}</text>",
                bottom + 18.0,
            );
        }
        let _ = write!(
            body,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            0.5 * (left + right),
            bottom + 36.0,
            Esc(below),
        );
    }

    /// A line through points; what is not finite, or outside where `clip`, breaks it.
    fn line(&mut self, class: &str, points: impl Iterator<Item = (f64, f64)>, clip: bool) {
        let (mut path, mut pen) = (String::new(), 'M');
        for (x, y) in points {
            let drawn = x.is_finite() && y.is_finite() && !(self.y.log && y <= 0.0);
            if !drawn || (clip && !self.y.holds(y)) {
                pen = 'M';
                continue;
            }
            let _ = write!(path, "{pen}{:.1} {:.1}", self.x.at(x), self.y.at(y));
            pen = 'L';
        }
        if !path.is_empty() {
            let _ = write!(self.body, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }

    fn level(&mut self, class: &str, y: f64) {
        if y.is_finite() && self.y.holds(y) {
            let (y, right) = (self.y.at(y), WIDTH - RIGHT);
            let _ = write!(self.body, "<path class=\"{class}\" d=\"M{LEFT} {y:.1}H{right}\"/>");
        }
    }

    /// The region below a value.
    fn band(&mut self, y: f64) {
        if y.is_finite() && y > 0.0 {
            let (top, bottom) = (self.y.at(y), self.y.from);
            let _ = write!(
                self.body,
                "<rect class=\"band\" x=\"{}\" y=\"{top:.1}\" width=\"{}\" height=\"{:.1}\"/>",
                LEFT,
                WIDTH - RIGHT - LEFT,
                bottom - top,
            );
        }
    }

    fn dot(&mut self, class: &str, x: f64, y: f64, r: f64) {
        let (x, y) = (self.x.at(x), self.y.at(y));
        let _ =
            write!(self.body, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\"/>");
    }
}

fn svg(height: f64, label: &str, body: &str) -> String {
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\
         {body}</svg>\n",
        Esc(label)
    )
}

/// A line of the key below a chart: a piece of the drawing, and what it is.
fn key(items: &[(String, String)]) -> String {
    let items = items.iter().fold(String::new(), |mut out, (drawing, text)| {
        let _ = write!(
            out,
            "<li><svg width=\"34\" height=\"14\" viewBox=\"0 0 34 14\" aria-hidden=\"true\">\
             {drawing}</svg><span>{text}</span></li>"
        );
        out
    });
    format!("<ul class=\"keys long\">{items}</ul>\n")
}

fn stroke(class: &str) -> String {
    format!("<path class=\"{class}\" d=\"M1 7H33\"/>")
}

const BAND_KEY: &str = "<rect class=\"band\" x=\"1\" y=\"1\" width=\"32\" height=\"12\"/>";

/// The error of the central difference against its step.
pub(super) fn sweep(sweep: &Sweep) -> String {
    let own = (sweep.analytic - sweep.numeric).abs();
    let errors = sweep.points.iter().map(|p| p.error);
    let steps = sweep.points.iter().map(|p| p.step);
    let (top, bottom) = (10.0, 236.0);
    let mut panel = Panel {
        x: Axis::log(steps.clone(), LEFT, WIDTH - RIGHT),
        y: Axis::log(errors.chain([own, sweep.allowed]), bottom, top),
        body: String::new(),
    };
    panel.band(sweep.allowed);
    panel.scales(Some("step h of the difference"), 7);
    let (noise, truncation) = (sweep.noise, sweep.truncation);
    let fine: Vec<f64> = (0..=240)
        .map(|k| 10.0_f64.powf(panel.x.low + (panel.x.high - panel.x.low) * f64::from(k) / 240.0))
        .collect();
    panel.line("noise", fine.iter().map(|&h| (h, noise / h)), true);
    if let Some(c) = truncation {
        panel.line("truncation", fine.iter().map(|&h| (h, c * h * h)), true);
    }
    panel.line("curve", sweep.points.iter().map(|p| (p.step, p.error)), false);
    for point in &sweep.points {
        if point.error > 0.0 {
            panel.dot("dot", point.step, point.error, 2.2);
        } else {
            panel.dot("zero", point.step, 10.0_f64.powf(panel.y.low), 2.4);
        }
    }
    let wrong = own > sweep.allowed + sweep.bound;
    let class = if wrong { "own bad" } else { "own" };
    panel.level(class, own);
    let mut items = vec![
        (
            "<path class=\"curve\" d=\"M1 11L12 4L23 9L33 3\"/><circle class=\"dot\" cx=\"12\" \
             cy=\"4\" r=\"2.2\"/><circle class=\"dot\" cx=\"23\" cy=\"9\" r=\"2.2\"/>"
                .to_owned(),
            "error of the central difference with step h".to_owned(),
        ),
        (stroke(class), format!("what the gradient itself is off by: {}", short(own))),
        (BAND_KEY.to_owned(), format!("within the tolerance: {}", short(sweep.allowed))),
        (stroke("noise"), format!("noise of the forward over h: {} / h", short(noise))),
    ];
    if let Some(c) = truncation {
        items.push((stroke("truncation"), format!("truncation: {} h\u{b2}", short(c))));
    }
    if sweep.points.iter().any(|p| p.error == 0.0) {
        items.push((
            "<circle class=\"zero\" cx=\"17\" cy=\"7\" r=\"2.6\"/>".to_owned(),
            "no error at all".to_owned(),
        ));
    }
    svg(282.0, "error of the central difference against its step", &panel.body) + &key(&items)
}

/// Groups of states that are drawn as one.
const DOTS: usize = 400;

/// The difference of every state.
pub(super) fn states(states: &[State], states_are: StatesAre, tolerance: f64) -> String {
    let trained = states_are == StatesAre::AfterTraining;
    let each = states.len().div_ceil(DOTS).max(1);
    let worst = |group: &[State]| {
        let rank = |s: &State| (s.wrong, s.difference);
        group.iter().cloned().reduce(|a, b| {
            let ((a_wrong, a_off), (b_wrong, b_off)) = (rank(&a), rank(&b));
            if b_wrong.cmp(&a_wrong).then(b_off.total_cmp(&a_off)).is_gt() { b } else { a }
        })
    };
    let dots: Vec<(f64, State)> = if trained {
        states.iter().take(DOTS).map(|s| (s.steps as f64, s.clone())).collect()
    } else {
        (states.chunks(each).enumerate())
            .filter_map(|(k, group)| worst(group).map(|s| ((k * each + 1) as f64, s)))
            .collect()
    };
    let (top, bottom) = (10.0, 196.0);
    let differences = states.iter().map(|s| s.difference).chain([tolerance, 1e-12]);
    let mut panel = Panel {
        x: Axis::counts(dots.iter().map(|dot| dot.0)),
        y: Axis::log(differences, bottom, top),
        body: String::new(),
    };
    panel.band(tolerance);
    panel.scales(Some(if trained { "training steps" } else { "state" }), 6);
    for (x, state) in &dots {
        let (px, y) = (panel.x.at(*x), state.difference);
        if y.is_nan() {
            let _ = write!(
                panel.body,
                "<path class=\"none-dot\" d=\"M{:.1} {top}l7 7m0-7l-7 7\"/>",
                px - 3.5
            );
        } else if state.wrong {
            let py = panel.y.at(y.max(1e-300));
            let _ = write!(
                panel.body,
                "<path class=\"fail-dot\" d=\"M{px:.1} {:.1}l5 9h-10z\"/>",
                py - 5.5
            );
        } else {
            panel.dot("pass-dot", *x, y.max(1e-300), 3.4);
        }
    }
    let mut items = Vec::new();
    if states.iter().any(|s| !s.wrong) {
        let drawing = "<circle class=\"pass-dot\" cx=\"17\" cy=\"7\" r=\"3.4\"/>";
        items.push((drawing.to_owned(), "a state that passes".to_owned()));
    }
    if states.iter().any(|s| s.wrong && !s.difference.is_nan()) {
        let drawing = "<path class=\"fail-dot\" d=\"M17 2l5 9h-10z\"/>";
        items.push((drawing.to_owned(), "a state that fails".to_owned()));
    }
    if states.iter().any(|s| s.difference.is_nan()) {
        let drawing = "<path class=\"none-dot\" d=\"M13.5 3.5l7 7m0-7l-7 7\"/>";
        items.push((drawing.to_owned(), "nothing to compare".to_owned()));
    }
    items.push((BAND_KEY.to_owned(), format!("within the tolerance: {}", short(tolerance))));
    if trained && states.len() > DOTS {
        items.push((String::new(), format!("the first {DOTS} states")));
    } else if each > 1 {
        items.push((String::new(), format!("each mark is the worst of {each} states")));
    }
    svg(242.0, "relative difference of every state", &panel.body) + &key(&items)
}

/// Cost and difference along a training run, one above the other.
pub(super) fn training(training: &Training, tolerance: f64) -> String {
    let looks = &training.looks;
    let steps = || looks.iter().map(|look| look.step as f64);
    let costs = || looks.iter().map(|look| look.cost).filter(|cost| cost.is_finite());
    let (least, most) = costs().fold((f64::NAN, f64::NAN), |(l, h), c| (c.min(l), c.max(h)));
    let (top, bottom) = (26.0, 116.0);
    let y = if least > 0.0 && most > 30.0 * least {
        Axis::log(costs(), bottom, top)
    } else {
        Axis::linear(costs(), bottom, top)
    };
    let mut panel = Panel { x: Axis::counts(steps()), y, body: String::new() };
    panel.scales(None, 4);
    panel.line("cost", looks.iter().map(|look| (look.step as f64, look.cost)), false);
    for look in looks.iter().filter(|look| look.cost.is_finite()) {
        panel.dot("dot", look.step as f64, look.cost, 2.6);
    }
    let mut body = format!(
        "<text x=\"{LEFT}\" y=\"14\">cost: {}</text>{}",
        Esc(&training.cost_is),
        panel.body
    );
    let (top, bottom) = (156.0, 266.0);
    let differences = looks.iter().map(|look| look.difference).chain([tolerance, 1e-12]);
    let mut panel = Panel {
        x: Axis::counts(steps()),
        y: Axis::log(differences, bottom, top),
        body: String::new(),
    };
    panel.band(tolerance);
    panel.scales(Some("training steps"), 4);
    panel.line("curve", looks.iter().map(|look| (look.step as f64, look.difference)), false);
    for look in looks.iter().filter(|look| look.difference.is_finite()) {
        let wrong = look.difference > tolerance;
        let class = if wrong { "fail-dot" } else { "pass-dot" };
        panel.dot(class, look.step as f64, look.difference.max(1e-300), 3.4);
    }
    let _ = write!(
        body,
        "<text x=\"{LEFT}\" y=\"144\">relative difference; shaded: within the tolerance</text>{}",
        panel.body
    );
    svg(312.0, "cost and relative difference along training", &body)
}
