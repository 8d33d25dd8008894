namespace LookaheadKV.Evaluation.Studies;

/// <summary>Student's t distribution, as far as intervals of a mean over a few seeds need it.</summary>
public static class StudentT
{
    private const int Intervals = 4000;

    /// <summary>The value that t stays below with probability 0.975.</summary>
    /// <param name="degrees">Degrees of freedom, ≥ 1.</param>
    public static double Quantile975(int degrees)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(degrees, 1);
        // t = √ν·tan θ turns the density into cos^(ν−1) θ on (−π/2, π/2): bounded for every ν, and no constant is needed.
        var (low, high) = (0.0, Math.PI / 2);
        var whole = Integral(degrees, Math.PI / 2);
        for (var i = 0; i < 60; i++)
        {
            var middle = (low + high) / 2;
            (low, high) = Integral(degrees, middle) < 0.95 * whole ? (middle, high) : (low, middle);
        }
        return Math.Sqrt(degrees) * Math.Tan((low + high) / 2);
    }

    // ∫ cos^(ν−1) from 0 to the angle, by Simpson's rule.
    private static double Integral(int degrees, double angle)
    {
        var step = angle / Intervals;
        var sum = 0.0;
        for (var i = 0; i <= Intervals; i++)
        {
            var weight =
                i is 0 or Intervals ? 1
                : i % 2 == 1 ? 4
                : 2;
            sum += weight * Math.Pow(Math.Cos(i * step), degrees - 1);
        }
        return sum * step / 3;
    }
}
