namespace LookaheadKV.Models;

/// <summary>
/// The rotary positions of a <c>config.json</c>: <c>rope_theta</c> and <c>rope_scaling</c> (transformers 4) or <c>rope_parameters</c> with both
/// (transformers 5). A kind, or a key within one, that is not known is refused by name: it would change the numbers.
/// </summary>
internal static class RopeConfig
{
    private static readonly string[] Common = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];

    /// <param name="config">The whole configuration.</param>
    /// <param name="positions">Its <c>max_position_embeddings</c>.</param>
    public static (double Theta, RopeScaling? Scaling) Parse(ConfigReader config, int positions)
    {
        var (key, rope) = config.Object("rope_parameters") is { } five
            ? ("rope_parameters", five)
            : ("rope_scaling", config.Object("rope_scaling"));
        var theta = rope?.Double("rope_theta", null) ?? config.Double("rope_theta", null) ?? 10_000;
        if (!(theta > 1))
            throw new InputException($"{config.Path}: rope_theta is {theta}, it must be above 1.");
        if (rope is null)
            return (theta, null);

        rope.Refuse($"{key}.partial_rotary_factor", rope.Double("partial_rotary_factor", 1), 1);
        var type = rope.String("rope_type", null) ?? rope.String("type", "default")!;
        config.Refuse("rope_type", type, "default", "linear", "dynamic", "llama3", "yarn");
        return (theta, Scaling());

        RopeScaling? Scaling()
        {
            switch (type)
            {
                case "linear":
                    Allow("factor");
                    return new RopeScaling.Linear(Factor(null));
                case "dynamic":
                    Allow("factor");
                    return new RopeScaling.Dynamic(Factor(null), positions);
                case "llama3":
                    Allow("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings");
                    var (low, high) = (Positive("low_freq_factor"), Positive("high_freq_factor"));
                    return low < high
                        ? new RopeScaling.Llama3(Factor(null), low, high, Original())
                        : throw new InputException(
                            $"{config.Path}: {key}.low_freq_factor {low} must be below high_freq_factor {high}; fetch config.json again."
                        );
                case "yarn":
                    Allow(
                        "factor",
                        "original_max_position_embeddings",
                        "attention_factor",
                        "mscale",
                        "mscale_all_dim",
                        "beta_fast",
                        "beta_slow",
                        "truncate"
                    );
                    return Yarn();
                default:
                    Allow();
                    return null;
            }
        }

        RopeScaling.Yarn Yarn()
        {
            var original = Original();
            var factor = Factor((double)positions / original);
            var attention =
                rope.Double("attention_factor", null)
                ?? RopeScaling.Yarn.DefaultAttentionFactor(factor, rope.Double("mscale", null), rope.Double("mscale_all_dim", null));
            var (fast, slow) = (rope.Double("beta_fast", 32)!.Value, rope.Double("beta_slow", 1)!.Value);
            if (!(attention > 0) || !(slow > 0) || !(slow < fast))
                throw new InputException(
                    $"{config.Path}: {key} has attention_factor {attention}, beta_slow {slow} and beta_fast {fast}; all must be above 0 and beta_slow below beta_fast."
                );
            return new RopeScaling.Yarn(factor, original, attention, fast, slow, rope.Bool("truncate", true));
        }

        int Original() => config.IntOrNull("original_max_position_embeddings") ?? rope.Int("original_max_position_embeddings", positions);

        double Factor(double? fallback) =>
            rope.Double("factor", fallback) is { } factor && factor >= 1
                ? factor
                : throw new InputException(
                    $"{config.Path}: {key}.factor of rope_type \"{type}\" must be a number ≥ 1; fetch config.json again."
                );

        double Positive(string name) =>
            rope.Double(name, null) is { } value && value > 0
                ? value
                : throw new InputException($"{config.Path}: {key}.{name} must be a number above 0; fetch config.json again.");

        void Allow(params string[] keys)
        {
            foreach (var name in rope.Keys.Except([.. Common, .. keys]))
                throw new InputException(
                    $"{config.Path}: {key}.{name} is not implemented for rope_type \"{type}\"; known: {string.Join(", ", Common.Concat(keys))}."
                );
        }
    }
}
