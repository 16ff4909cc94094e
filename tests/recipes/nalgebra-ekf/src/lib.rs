//! An extended Kalman filter on `nalgebra`: the Jacobians of its motion and of its measurement,
//! outputs by inputs, are checked against the models themselves.
use nalgebra::{Matrix2, Matrix2x3, Matrix3, Point2, Vector2, Vector3};

/// Pose of a robot, x, y and heading, and its covariance.
#[derive(Clone, Debug)]
pub struct Filter {
    /// x, y and heading.
    pub pose: Vector3<f64>,
    /// Of the pose.
    pub covariance: Matrix3<f64>,
}

impl Filter {
    /// After a drive of `control` = (distance, turn).
    pub fn predict(&mut self, control: &Vector2<f64>, noise: &Matrix3<f64>) {
        let f = motion_jacobian(&self.pose, control);
        self.pose = motion(&self.pose, control);
        self.covariance = f * self.covariance * f.transpose() + noise;
    }

    /// After the range and bearing of a landmark were measured. The covariance stays as it is
    /// where that of the measurement has no inverse.
    pub fn update(
        &mut self,
        landmark: &Point2<f64>,
        measured: &Vector2<f64>,
        noise: &Matrix2<f64>,
    ) {
        let h = measurement_jacobian(&self.pose, landmark);
        let innovation = h * self.covariance * h.transpose() + noise;
        let Some(inverse) = innovation.try_inverse() else { return };
        let gain = self.covariance * h.transpose() * inverse;
        self.pose += gain * (measured - measurement(&self.pose, landmark));
        self.covariance = (Matrix3::identity() - gain * h) * self.covariance;
    }
}

/// Where a drive leads.
pub fn motion(pose: &Vector3<f64>, control: &Vector2<f64>) -> Vector3<f64> {
    let heading = pose.z + 0.5 * control.y;
    pose + Vector3::new(control.x * heading.cos(), control.x * heading.sin(), control.y)
}

/// With respect to the pose.
#[cfg_attr(test, gradcheck_runtime::gradcheck(
    pose in normal(3).to(),
    control in normal(2).to(),
    forward = motion,
))]
pub fn motion_jacobian(pose: &Vector3<f64>, control: &Vector2<f64>) -> Matrix3<f64> {
    let (sin, cos) = (pose.z + 0.5 * control.y).sin_cos();
    Matrix3::new(1.0, 0.0, -control.x * sin, 0.0, 1.0, control.x * cos, 0.0, 0.0, 1.0)
}

/// Range and bearing of a landmark.
pub fn measurement(pose: &Vector3<f64>, landmark: &Point2<f64>) -> Vector2<f64> {
    let off = landmark.coords - pose.xy();
    Vector2::new(off.norm(), off.y.atan2(off.x) - pose.z)
}

/// With respect to the pose. The landmarks are drawn away from the robot, where there is a bearing.
#[cfg_attr(test, gradcheck_runtime::gradcheck(
    pose in normal(3).to(),
    landmark in uniform(2, 4.0..9.0).to(),
    forward = measurement,
    train(steps = 1..=3, learning_rate = 1e-3),
))]
pub fn measurement_jacobian(pose: &Vector3<f64>, landmark: &Point2<f64>) -> Matrix2x3<f64> {
    let off = landmark.coords - pose.xy();
    let (q, r) = (off.norm_squared(), off.norm());
    Matrix2x3::new(-off.x / r, -off.y / r, 0.0, off.y / q, -off.x / q, -1.0)
}

/// The Jacobian with a bug: the bearing's row has the signs of the landmark's derivative.
#[cfg_attr(test, gradcheck_runtime::gradcheck(
    pose in normal(3).to(),
    landmark in uniform(2, 4.0..9.0).to(),
    forward = measurement,
    should_panic(expected = "the gradient is wrong"),
))]
pub fn of_the_landmark(pose: &Vector3<f64>, landmark: &Point2<f64>) -> Matrix2x3<f64> {
    let off = landmark.coords - pose.xy();
    let (q, r) = (off.norm_squared(), off.norm());
    Matrix2x3::new(-off.x / r, -off.y / r, 0.0, -off.y / q, off.x / q, -1.0)
}
