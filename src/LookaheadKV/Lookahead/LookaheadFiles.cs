using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Lookahead;

/// <summary>
/// A module on disk: <c>adapter_model.safetensors</c> with PEFT's LoRA names and <c>lookahead_embeddings</c>, <c>adapter_config.json</c> as PEFT
/// reads it, and <c>lookahead.json</c> with the settings.
/// </summary>
public static class LookaheadFiles
{
    private const string Weights = "adapter_model.safetensors";
    private const string PeftConfig = "adapter_config.json";
    private const string SettingsFile = "lookahead.json";
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>Names of a module's files within its folder.</summary>
    public static IReadOnlyList<string> All { get; } = [Weights, PeftConfig, SettingsFile];

    /// <summary>A module's tensors under the names of its file.</summary>
    public static IEnumerable<(string Name, Tensor Tensor)> Named(LookaheadModule module)
    {
        yield return ("lookahead_embeddings", module.Embeddings);
        foreach (var (layer, lora) in module.Layers.Index())
        foreach (var (name, pair) in lora.Pairs)
        {
            var path = $"base_model.model.model.layers.{layer}.{name.Path()}";
            yield return ($"{path}.lora_A.weight", pair.A);
            yield return ($"{path}.lora_B.weight", pair.B);
        }
    }

    /// <summary>Writes a module's three files; the settings come last, so that a folder that has them is whole.</summary>
    /// <param name="module">The module.</param>
    /// <param name="folder">Where, created if need be.</param>
    /// <param name="training">How it was trained, kept in <c>lookahead.json</c> for the reader; null if it was not.</param>
    public static void Save(LookaheadModule module, string folder, IReadOnlyDictionary<string, object>? training = null)
    {
        var settings = module.Settings;
        Directory.CreateDirectory(folder);
        Safetensors.Write(Path.Combine(folder, Weights), Named(module), new Dictionary<string, string> { ["format"] = "pt" });
        Write(
            PeftConfig,
            new
            {
                peft_type = "LORA",
                task_type = "CAUSAL_LM",
                r = Math.Max(1, settings.Rank),
                lora_alpha = settings.Alpha,
                lora_dropout = 0.0,
                bias = "none",
                target_modules = settings.Targets.Select(t => t.Path().Split('.')[^1]).ToArray(),
                exclude_modules = Without(module).ToArray(),
                inference_mode = true,
            }
        );
        Write(
            SettingsFile,
            new
            {
                tokens = settings.Tokens,
                rank = settings.Rank,
                alpha = settings.Alpha,
                targets = settings.Targets.Select(t => t.Path()).ToArray(),
                embedding_std = settings.EmbeddingStd,
                rows = settings.Rows.ToString().ToLowerInvariant(),
                training,
            }
        );

        void Write(string file, object content) =>
            AtomicFile.Write(Path.Combine(folder, file), stream => JsonSerializer.Serialize(stream, content, Json));
    }

    /// <summary>Reads a module that <see cref="Save"/> wrote.</summary>
    /// <param name="folder">The module's folder.</param>
    /// <param name="config">The model it is for; shapes must agree.</param>
    /// <param name="device">Where the parameters go; default the CPU.</param>
    /// <exception cref="InputException">A file is missing or damaged, or the module is for a model of another shape.</exception>
    public static LookaheadModule Load(string folder, DecoderConfig config, Device? device = null)
    {
        var settings = ReadSettings(Path.Combine(folder, SettingsFile));
        var module = LookaheadModule.Create(config, settings, device: device);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(Path.Combine(folder, Weights));
        try
        {
            foreach (var (name, tensor) in Named(module))
            {
                if (!file.Names.Contains(name) || !file.Info(name).Shape.SequenceEqual(tensor.shape))
                    throw new InputException(
                        $"{folder}: {name} is missing or has another shape; were these modules trained for another model?"
                    );
                var read = file.Read(name);
                if (!read.isfinite().all().item<bool>())
                    throw new InputException(
                        $"{folder}: {name} holds NaN or infinity; train the modules again with a lower learning rate."
                    );
                tensor.copy_(read);
            }
            return module;
        }
        catch
        {
            module.Dispose();
            throw;
        }
    }

    // The targets that have no pair, those of the last layer that reach no score: peft would miss their weights.
    private static IEnumerable<string> Without(LookaheadModule module) =>
        from layer in module.Layers.Index()
        from name in module.Settings.Targets
        where layer.Item[name] is null
        select $"model.layers.{layer.Index}.{name.Path()}";

    private static LookaheadSettings ReadSettings(string path)
    {
        if (!File.Exists(path))
            throw new InputException($"{path}: no such file; this model has no lookahead modules yet: make them with `lookahead train`.");
        var root = JsonFile.Read(path).Root;
        return new LookaheadSettings
        {
            Tokens = root["tokens"].Positive(),
            Rank = root["rank"].Count(),
            Alpha = root["alpha"].Or(32, alpha => alpha.Number()),
            Targets = [.. root["targets"].OneOrMany().Select(target => Target(target.Text()))],
            EmbeddingStd = root["embedding_std"].Or(0.02, std => std.Number()),
            Rows = root["rows"].Or(RowReduction.Mean, rows => Reduction(rows.Text())),
        };

        RowReduction Reduction(string text) =>
            Enum.GetValues<RowReduction>()
                .Where(r => r.ToString().ToLowerInvariant() == text)
                .Select(r => (RowReduction?)r)
                .FirstOrDefault()
            ?? throw new InputException(
                $"{path}: unknown reduction of rows \"{text}\"; allowed: {string.Join(", ", Enum.GetNames<RowReduction>()).ToLowerInvariant()}."
            );

        LinearName Target(string text) =>
            LinearNames.All.Where(name => name.Path() == text).Select(name => (LinearName?)name).FirstOrDefault()
            ?? throw new InputException(
                $"{path}: unknown target \"{text}\"; allowed: {string.Join(", ", LinearNames.All.Select(n => n.Path()))}."
            );
    }
}
