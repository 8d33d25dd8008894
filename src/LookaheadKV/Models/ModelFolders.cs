namespace LookaheadKV.Models;

/// <summary>Where a model named on a command line or in a script lies: <c>nano</c>, which is shipped, or a Hugging Face folder.</summary>
public static class ModelFolders
{
    /// <summary>Name of the shipped model.</summary>
    public const string Nano = "nano";

    /// <summary>Folder of a model's trained lookahead modules, within the model's folder.</summary>
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
    /// <param name="model"><c>nano</c>, or the path of a Hugging Face folder (<c>./nano</c> for one of that name).</param>
    /// <exception cref="InputException">There is no such folder.</exception>
    public static string Resolve(string model)
    {
        if (model == Nano)
        {
            return Shipped.FirstOrDefault(Directory.Exists)
                ?? throw new InputException(
                    $"model {Nano} is not there; looked in {string.Join(" and ", Shipped)}: reference LookaheadKV.Nano, or give a Hugging Face folder."
                );
        }
        return Directory.Exists(model)
            ? model
            : throw new InputException($"{model}: no such folder; --model takes `{Nano}` or a Hugging Face folder.");
    }

    private static string Beside(string model, string name) => Path.Combine(model, name);

    // A script's own folder is that of its host, so the assembly's is looked at too.
    private static IEnumerable<string> Shipped =>
        new[] { AppContext.BaseDirectory, Path.GetDirectoryName(typeof(ModelFolders).Assembly.Location) ?? "" }
            .Select(folder => Path.Combine(folder, "models", Nano))
            .Distinct();
}
