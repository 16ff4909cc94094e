//! The breast-cancer data, see README.md beside this file.
use ndarray::{Array2, Axis};

const CSV: &str = include_str!("breast_cancer.csv");

/// Features and labels, a column for each sample.
pub(crate) struct Samples {
    /// Shape (30, m); over all samples, each feature has mean 0 and variance 1.
    pub(crate) x: Array2<f64>,
    /// Shape (1, m): 0 malignant, 1 benign.
    pub(crate) y: Array2<f64>,
}

impl Samples {
    /// All 569 samples.
    ///
    /// # Errors
    /// Where the file is not what its first line says.
    pub(crate) fn load() -> Result<Samples, String> {
        let mut lines = CSV.lines().map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
        let header = lines.next().ok_or("the file is empty")?;
        let [rows, features, ..] = header[..] else {
            return Err(format!("the first line is {header:?}"));
        };
        let count = |text: &str| text.parse::<usize>().map_err(|e| format!("{text}: {e}"));
        let (rows, features) = (count(rows)?, count(features)?);
        let mut table = Vec::with_capacity(rows * (features + 1));
        for (number, line) in lines.enumerate() {
            if line.len() != features + 1 {
                return Err(format!("sample {number} has {} fields", line.len()));
            }
            for field in line {
                table.push(field.parse().map_err(|e| format!("sample {number}, {field}: {e}"))?);
            }
        }
        let table: Array2<f64> = Array2::from_shape_vec((rows, features + 1), table)
            .map_err(|e| format!("not {rows} samples: {e}"))?;
        let (mut x, y) = (table.t().to_owned(), table.column(features).to_owned());
        x.remove_index(Axis(0), features);
        let mean = x.sum_axis(Axis(1)).insert_axis(Axis(1)) / rows as f64;
        let deviation = x.std_axis(Axis(1), 0.0).insert_axis(Axis(1));
        Ok(Samples { x: (x - mean) / deviation, y: y.insert_axis(Axis(0)) })
    }

    pub(crate) fn len(&self) -> usize {
        self.y.ncols()
    }

    /// `count` samples spread evenly over all of them.
    pub(crate) fn some(&self, count: usize) -> Samples {
        let chosen: Vec<usize> = (0..count).map(|i| i * self.len() / count).collect();
        Samples { x: self.x.select(Axis(1), &chosen), y: self.y.select(Axis(1), &chosen) }
    }
}
