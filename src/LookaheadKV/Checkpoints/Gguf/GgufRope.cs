using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>
/// The rotary settings of a file as config.json states them. Llama 3.1 and later have no settings but a tensor: the number by which each frequency
/// is divided. The settings are recovered from it and must give the same numbers.
/// </summary>
internal static class GgufRope
{
    private const double Tolerance = 1e-5;

    /// <exception cref="InputException">The kind of scaling, or a setting of it, is not implemented.</exception>
    public static IEnumerable<(string Key, JsonNode? Value)> Settings(GgufFile file, GgufFamily family, int headSize)
    {
        var metadata = file.Metadata;
        var theta = metadata.NumberOrNull(family.Key("rope.freq_base")) ?? 10_000;
        var scaling = Scaling(metadata, family);
        if (file.Find(GgufFamily.RotaryFactors) is { } tensor)
        {
            if (scaling is not null)
                throw new InputException($"{metadata.Path}: {tensor.Name} and rope.scaling together are not implemented.");
            scaling = FromFactors(file, tensor, theta, headSize, metadata.WholeOrNull(family.Key("rope.scaling.original_context_length")));
        }
        return [("rope_theta", theta), ("rope_scaling", scaling)];
    }

    private static JsonObject? Scaling(GgufMetadata metadata, GgufFamily family)
    {
        // The first form of the format had one key, of a linear factor.
        var factor = metadata.NumberOrNull(family.Key("rope.scaling.factor")) ?? metadata.NumberOrNull(family.Key("rope.scale_linear"));
        var key = family.Key("rope.scaling.type");
        switch (metadata.TextOrNull(key) ?? (factor is null ? "none" : "linear"))
        {
            case "none":
                return null;
            case "linear":
                return factor is null or 0 or 1 ? null : new JsonObject { ["rope_type"] = "linear", ["factor"] = factor };
            case "yarn":
                return Yarn(metadata, family, factor ?? throw metadata.Missing(family.Key("rope.scaling.factor")));
            default:
                throw metadata.Wrong(key, "none, linear or yarn");
        }
    }

    private static JsonObject Yarn(GgufMetadata metadata, GgufFamily family, double factor)
    {
        if (Setting("ext_factor", 1) != 1)
            throw metadata.Wrong(family.Key("rope.scaling.yarn_ext_factor"), "1");
        if (Setting("log_multiplier", 0) != 0)
            throw metadata.Wrong(family.Key("rope.scaling.yarn_log_multiplier"), "0");
        var length = Setting("attn_factor", metadata.NumberOrNull(family.Key("rope.scaling.attn_factor")) ?? 1);
        return new JsonObject
        {
            ["rope_type"] = "yarn",
            ["factor"] = factor,
            ["original_max_position_embeddings"] = metadata.Count(
                family.Key("rope.scaling.original_context_length"),
                metadata.Count(family.Key("context_length"))
            ),
            ["attention_factor"] = length * RopeScaling.Yarn.DefaultAttentionFactor(factor),
            ["beta_fast"] = Setting("beta_fast", 32),
            ["beta_slow"] = Setting("beta_slow", 1),
        };

        double Setting(string name, double fallback) => metadata.NumberOrNull(family.Key($"rope.scaling.yarn_{name}")) ?? fallback;
    }

    private static JsonObject? FromFactors(GgufFile file, GgufTensor tensor, double theta, int headSize, int? original)
    {
        if (tensor.Elements != headSize / 2 || !tensor.Type.IsWeight)
            throw new InputException(
                $"{file.Metadata.Path}: {tensor.Name} has {tensor.Elements} numbers, expected {headSize / 2}, half the size of a head."
            );
        using var scope = NewDisposeScope();
        var place = empty([tensor.Elements], ScalarType.Float32, CPU);
        file.ReadInto(new Dictionary<string, Tensor> { [tensor.Name] = place });
        double[] divisors = [.. place.data<float>().ToArray().Select(value => (double)value)];
        if (divisors.All(value => value == 1))
            return null;
        double[] perLength = [.. divisors.Select((_, i) => Math.Pow(theta, -2.0 * i / headSize) / (2 * Math.PI))]; // turns a position
        var factor = divisors.Max();
        var found = Candidates(divisors, perLength, factor, original).FirstOrDefault(llama => Fits(llama, divisors, perLength));
        return found is null
            ? throw new InputException(
                $"{file.Metadata.Path}: {tensor.Name} is no scaling of the Llama 3 kind, the only one that is implemented as a tensor."
            )
            : new JsonObject
            {
                ["rope_type"] = "llama3",
                ["factor"] = found.Factor,
                ["low_freq_factor"] = found.LowFrequencyFactor,
                ["high_freq_factor"] = found.HighFrequencyFactor,
                ["original_max_position_embeddings"] = found.OriginalPositions,
            };
    }

    // Context and the two bounds are known up to a common factor: only their quotients reach a frequency. The lower bound is 1 in all models.
    private static IEnumerable<RopeScaling.Llama3> Candidates(double[] divisors, double[] turns, double factor, int? original)
    {
        var blended = divisors
            .Zip(turns, (divisor, turn) => (Share: (1 / divisor - 1 / factor) / (1 - 1 / factor), Turn: turn))
            .Where(point => point.Share is > 1e-3 and < 1 - 1e-3)
            .ToArray();
        foreach (var context in (int?[])[original, 8192, .. Enumerable.Range(6, 15).Select(power => (int?)(1 << power))])
            if (context is { } positions)
                yield return new(factor, 1, 4, positions);
        foreach (var (share, turn) in blended)
            yield return new(factor, 1, 4, (int)Math.Round((3 * share + 1) / turn));
        if (blended is not [var first, .., var last])
            yield break;
        // share = (context · turns - 1) / (high - 1), a line.
        var slope = (last.Share - first.Share) / (last.Turn - first.Turn);
        var high = 1 - 1 / (first.Share - slope * first.Turn);
        foreach (var rounded in (double[])[Math.Round(high), Math.Round(high, 2), high])
            if (slope * (rounded - 1) is > 0.5 and < int.MaxValue and var context && rounded > 1)
                yield return new(factor, 1, rounded, (int)Math.Round(context));
    }

    private static bool Fits(RopeScaling.Llama3 llama, double[] divisors, double[] turns) =>
        divisors.Zip(turns, (divisor, turn) => Math.Abs(Divisor(llama, turn) / divisor - 1)).All(error => error <= Tolerance);

    private static double Divisor(RopeScaling.Llama3 llama, double turns)
    {
        var (factor, low, high, original) = llama;
        var share = Math.Clamp((original * turns - low) / (high - low), 0, 1);
        return 1 / ((1 - share) / factor + share);
    }
}
