namespace LookaheadKV.Checkpoints;

/// <summary>
/// How a model's rotary frequencies are changed so that it can read more than it was first trained for (<c>rope_scaling</c>, or
/// <c>rope_parameters</c>, of <c>config.json</c>). What each does is in <c>RotaryFrequencies</c>.
/// </summary>
public abstract record RopeScaling
{
    private const string Advice = "correct the model's config.json";

    private RopeScaling() { }

    /// <summary>Positions are divided by a factor (<c>linear</c>).</summary>
    /// <param name="Factor">≥ 1.</param>
    public sealed record Linear(double Factor) : RopeScaling
    {
        /// <summary>At least 1.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public double Factor
        {
            get;
            init => field = Scaled(value);
        } = Scaled(Factor);
    }

    /// <summary>
    /// The base grows with the sequence once it is longer than the original context (<c>dynamic</c>, "NTK-aware"). A pass takes the length that
    /// the sequence has at its end for all of its rows: a prompt is rotated for its own length, a token that is decoded for the length up to
    /// and with it, and what is in the cache stays as it was rotated. So do transformers; beyond the original context, decoding therefore
    /// differs from one pass over the whole sequence, and a prompt in pieces from the same prompt in one.
    /// </summary>
    /// <param name="Factor">≥ 1.</param>
    /// <param name="OriginalPositions">Context up to which nothing changes (<c>max_position_embeddings</c>).</param>
    public sealed record Dynamic(double Factor, int OriginalPositions) : RopeScaling
    {
        /// <summary>At least 1.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public double Factor
        {
            get;
            init => field = Scaled(value);
        } = Scaled(Factor);

        /// <summary>Context up to which nothing changes, 1 or more.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public int OriginalPositions
        {
            get;
            init => field = First(value);
        } = First(OriginalPositions);
    }

    /// <summary>Low frequencies are divided by a factor, high ones stay, those between are blended (<c>llama3</c>).</summary>
    /// <param name="Factor">≥ 1.</param>
    /// <param name="LowFrequencyFactor">Wavelengths above original context / this are divided.</param>
    /// <param name="HighFrequencyFactor">Wavelengths below original context / this stay; above <paramref name="LowFrequencyFactor"/>.</param>
    /// <param name="OriginalPositions">Context of the first training.</param>
    public sealed record Llama3(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalPositions) : RopeScaling
    {
        /// <summary>At least 1.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public double Factor
        {
            get;
            init => field = Scaled(value);
        } = Scaled(Factor);

        /// <summary>Above 0.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public double LowFrequencyFactor
        {
            get;
            init => field = value.AboveZero("rope_scaling low_freq_factor", Advice);
        } = LowFrequencyFactor.AboveZero("rope_scaling low_freq_factor", Advice);

        /// <summary>Above 0.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public double HighFrequencyFactor
        {
            get;
            init => field = value.AboveZero("rope_scaling high_freq_factor", Advice);
        } = HighFrequencyFactor.AboveZero("rope_scaling high_freq_factor", Advice);

        /// <summary>Context of the first training, 1 or more.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public int OriginalPositions
        {
            get;
            init => field = First(value);
        } = First(OriginalPositions);
    }

    /// <summary>YaRN (Peng et al., arXiv 2309.00071): frequencies are blended by how often they turn within the original context, and rotated rows are lengthened.</summary>
    /// <param name="Factor">≥ 1.</param>
    /// <param name="OriginalPositions">Context of the first training.</param>
    /// <param name="AttentionFactor">Length factor of rotated queries and keys.</param>
    /// <param name="FastTurns">Frequencies with more turns than this stay (<c>beta_fast</c>).</param>
    /// <param name="SlowTurns">Frequencies with fewer turns than this are divided (<c>beta_slow</c>).</param>
    /// <param name="WholeDimensions">Whether the blend begins and ends at whole dimensions (<c>truncate</c>).</param>
    public sealed record Yarn(
        double Factor,
        int OriginalPositions,
        double AttentionFactor,
        double FastTurns = 32,
        double SlowTurns = 1,
        bool WholeDimensions = true
    ) : RopeScaling
    {
        /// <summary>At least 1.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public double Factor
        {
            get;
            init => field = Scaled(value);
        } = Scaled(Factor);

        /// <summary>Context of the first training, 1 or more.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public int OriginalPositions
        {
            get;
            init => field = First(value);
        } = First(OriginalPositions);

        /// <summary>Length factor of rotated rows, above 0.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public double AttentionFactor
        {
            get;
            init => field = value.AboveZero("rope_scaling attention_factor", Advice);
        } = AttentionFactor.AboveZero("rope_scaling attention_factor", Advice);

        /// <summary>Above 0.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public double FastTurns
        {
            get;
            init => field = value.AboveZero("rope_scaling beta_fast", Advice);
        } = FastTurns.AboveZero("rope_scaling beta_fast", Advice);

        /// <summary>Above 0.</summary>
        /// <exception cref="InputException">It is out of that range.</exception>
        public double SlowTurns
        {
            get;
            init => field = value.AboveZero("rope_scaling beta_slow", Advice);
        } = SlowTurns.AboveZero("rope_scaling beta_slow", Advice);

        /// <summary>The length factor of a model that states none: <c>0.1·m·ln(factor) + 1</c> with m 1, or the quotient of those with m <c>mscale</c> and <c>mscale_all_dim</c> where both are stated.</summary>
        public static double DefaultAttentionFactor(double factor, double? mscale = null, double? mscaleAllDimensions = null)
        {
            return mscale is { } above and not 0 && mscaleAllDimensions is { } below and not 0 ? Scale(above) / Scale(below) : Scale(1);

            double Scale(double m) => factor <= 1 ? 1 : 0.1 * m * Math.Log(factor) + 1;
        }
    }

    /// <summary>Longest sequence that a model with this scaling can be given, if its configuration states <paramref name="stated"/> positions.</summary>
    internal static int Context(RopeScaling? scaling, int stated) =>
        scaling switch
        {
            // These configurations state the context before scaling; others state the one after.
            Linear(var factor) => Whole(stated * factor),
            Dynamic(var factor, _) => Whole(stated * factor),
            Yarn yarn => Math.Max(stated, Whole(yarn.OriginalPositions * yarn.Factor)),
            _ => stated,
        };

    private static double Scaled(double factor) => factor.AtLeast(1, "rope_scaling factor", Advice);

    private static int First(int positions) => positions.AtLeast(1, "rope_scaling original context", Advice);

    private static int Whole(double positions) => (int)Math.Min(int.MaxValue, Math.Floor(positions));
}
