using System.Reflection;
using System.Text.Json.Serialization;

namespace LookaheadKV.Evaluation;

/// <summary>What made a result: enough to make it again. Every JSON file and report carries one.</summary>
/// <param name="Version">Version of LookaheadKV.</param>
/// <param name="Commit">Commit that it was built from; "unknown" where the build saw no repository.</param>
/// <param name="Command">The command line.</param>
/// <param name="Seed">Seed of everything random.</param>
/// <param name="Device">Device in words; null where nothing was computed on one.</param>
/// <param name="DType">float32 or bfloat16: weights, activations and cache; null where there were none.</param>
/// <param name="Model">The model as it was named; null where none was used.</param>
public sealed record RunInfo(
    string Version,
    string Commit,
    string Command,
    long Seed,
    string? Device,
    [property: JsonPropertyName("dtype")] string? DType,
    string? Model
)
{
    /// <summary>A run of this build.</summary>
    /// <param name="command">The command line.</param>
    /// <param name="seed">Seed of everything random.</param>
    /// <param name="device">Device in words.</param>
    /// <param name="dtype">float32 or bfloat16.</param>
    /// <param name="model">The model as it was named.</param>
    public static RunInfo Of(string command, long seed, string? device = null, string? dtype = null, string? model = null)
    {
        // "0.1.0+3a5c…": the SDK appends the commit to the version.
        var informational =
            typeof(RunInfo).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
        var parts = informational.Split('+', 2);
        return new RunInfo(parts[0], parts.Length == 2 ? parts[1] : "unknown", command, seed, device, dtype, model);
    }
}
