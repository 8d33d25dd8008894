using LookaheadKV.Checkpoints;
using LookaheadKV.Files;

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
    public static (double Theta, RopeScaling? Scaling) Parse(JsonField config, int positions)
    {
        var five = config["rope_parameters"];
        var rope = five.Present ? five : config["rope_scaling"];
        var theta = rope["rope_theta"].NumberIfAny() ?? config["rope_theta"].NumberIfAny() ?? 10_000;
        if (!(theta > 1))
            throw new InputException($"{config.Source}: rope_theta is {theta}, it must be above 1.");
        if (!rope.Present)
            return (theta, null);

        HuggingFaceConfig.RequireNumber(rope["partial_rotary_factor"], 1);
        var kind = rope["rope_type"].Present ? rope["rope_type"] : rope["type"];
        HuggingFaceConfig.Require(kind, "default", "linear", "dynamic", "llama3", "yarn");
        var type = kind.Or("default", field => field.Text());
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
                            $"{config.Source}: {rope.Name}.low_freq_factor {low} must be below high_freq_factor {high}; fetch config.json again."
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
                rope["attention_factor"].NumberIfAny()
                ?? RopeScaling.Yarn.DefaultAttentionFactor(factor, rope["mscale"].NumberIfAny(), rope["mscale_all_dim"].NumberIfAny());
            var (fast, slow) = (rope["beta_fast"].NumberIfAny() ?? 32, rope["beta_slow"].NumberIfAny() ?? 1);
            if (!(attention > 0) || !(slow > 0) || !(slow < fast))
                throw new InputException(
                    $"{config.Source}: {rope.Name} has attention_factor {attention}, beta_slow {slow} and beta_fast {fast}; all must be above 0 and beta_slow below beta_fast."
                );
            return new RopeScaling.Yarn(factor, original, attention, fast, slow, rope["truncate"].Flag(true));
        }

        int Original()
        {
            const string Name = "original_max_position_embeddings";
            return (config[Name].Present ? config[Name] : rope[Name]).Or(positions, field => field.Positive());
        }

        double Factor(double? fallback) =>
            (rope["factor"].NumberIfAny() ?? fallback) is { } factor && factor >= 1
                ? factor
                : throw new InputException(
                    $"{config.Source}: {rope.Name}.factor of rope_type \"{type}\" must be a number ≥ 1; fetch config.json again."
                );

        double Positive(string name) =>
            rope[name].NumberIfAny() is { } value && value > 0
                ? value
                : throw new InputException($"{config.Source}: {rope.Name}.{name} must be a number above 0; fetch config.json again.");

        void Allow(params string[] keys)
        {
            foreach (var (name, value) in rope.Properties())
                if (value.Present && !Common.Contains(name) && !keys.Contains(name))
                    throw value.Wrong($"is not implemented for rope_type \"{type}\"; known: {string.Join(", ", Common.Concat(keys))}");
        }
    }
}
