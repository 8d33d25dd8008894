using LookaheadKV.Checkpoints.Gguf;

namespace LookaheadKV.Checkpoints;

/// <summary>
/// Where a model named on a command line or in a script lies: <c>nano</c>, which is shipped, a Hugging Face folder, a GGUF file, or a name of the
/// Hugging Face hub whose files are in the local cache.
/// </summary>
public static class ModelFolders
{
    /// <summary>Name of the shipped model.</summary>
    public const string Nano = "nano";

    /// <summary>Folder of a model's trained lookahead modules, within the model's folder; those of <c>X.gguf</c> are in <c>X.lookahead</c> beside it.</summary>
    public const string LookaheadFolder = "lookahead";

    /// <summary>Folder of a smaller model of the same tokenizer, within the model's folder: what SpecKV drafts with.</summary>
    public const string DraftFolder = "draft";

    /// <summary>Where a model's lookahead modules are kept, unless one says otherwise.</summary>
    /// <param name="model">What <see cref="Resolve"/> gave.</param>
    public static string Lookahead(string model) => Beside(model, LookaheadFolder);

    /// <summary>Where a model's draft model is, unless one says otherwise.</summary>
    /// <param name="model">What <see cref="Resolve"/> gave.</param>
    public static string Draft(string model) => Beside(model, DraftFolder);

    /// <summary>Where a model is: what <see cref="Checkpoints.ModelFiles.Open"/> takes.</summary>
    /// <param name="model">
    /// <c>nano</c>, the path of a Hugging Face folder (<c>./nano</c> for one of that name) or of a GGUF file, or <c>ORG/NAME[@REVISION]</c>.
    /// </param>
    /// <exception cref="InputException">There is no such model; the message says where it was looked for.</exception>
    public static string Resolve(string model)
    {
        if (model == Nano)
        {
            return Shipped.FirstOrDefault(Directory.Exists)
                ?? throw new InputException(
                    $"model {Nano} is not there; looked in {string.Join(" and ", Shipped)}: reference LookaheadKV.Nano, or give a Hugging Face folder or a GGUF file."
                );
        }
        // What is here goes before what is in the cache, as everywhere where hub names are taken.
        return !ModelFiles.Exists(model) && HubCache.IsName(model) && !model.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase)
            ? Runnable(HubCache.Find(model, HubCache.Root(Environment.GetEnvironmentVariable)))
            : Runnable(ModelFiles.Existing(model));
    }

    // Many folders, the hub's among them, hold GGUF files and nothing else that runs.
    private static string Runnable(string model)
    {
        if (!Directory.Exists(model) || Directory.EnumerateFiles(model, "*.safetensors").Any())
            return model;
        string[] files = [.. Directory.GetFiles(model, "*.gguf").Where(GgufFile.IsFirst).Order(StringComparer.Ordinal)];
        return files switch
        {
            [] => model,
            [var one] => one,
            _ => throw new InputException(
                $"{model}: it holds {files.Length} GGUF models ({string.Join(", ", files.Select(Path.GetFileName))}); name one of them."
            ),
        };
    }

    private static string Beside(string model, string name) =>
        Directory.Exists(model) ? Path.Combine(model, name) : $"{GgufFile.Stem(model)}.{name}";

    // A script's own folder is that of its host, so the assembly's is looked at too.
    private static IEnumerable<string> Shipped =>
        new[] { AppContext.BaseDirectory, Path.GetDirectoryName(typeof(ModelFolders).Assembly.Location) ?? "" }
            .Select(folder => Path.Combine(folder, "models", Nano))
            .Distinct();
}
