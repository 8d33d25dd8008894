using System.Text.RegularExpressions;

namespace LookaheadKV.Checkpoints;

/// <summary>
/// Finds models that were downloaded from the Hugging Face hub where its own tools keep them:
/// <c>models--ORG--NAME/refs/REVISION</c> names a commit, <c>snapshots/COMMIT</c> holds the files. Nothing is downloaded.
/// </summary>
internal static partial class HubCache
{
    private const string DefaultRevision = "main";
    private const int ShortestCommit = 7;

    /// <summary>Whether a text can be the name of a model on the hub, with or without a revision.</summary>
    public static bool IsName(string text) => Name().IsMatch(text);

    /// <summary>The cache's folder, as the hub's own tools find it.</summary>
    /// <param name="variable">Reads an environment variable.</param>
    public static string Root(Func<string, string?> variable)
    {
        return Set("HF_HUB_CACHE")
            ?? Set("HUGGINGFACE_HUB_CACHE")
            ?? Path.Combine(Set("HF_HOME") ?? Path.Combine(Set("XDG_CACHE_HOME") ?? Path.Combine(Home(), ".cache"), "huggingface"), "hub");

        string? Set(string name) =>
            variable(name) is { Length: > 0 } value
                ? (value.StartsWith("~/", StringComparison.Ordinal) ? Home() + value[1..] : value)
                : null;

        string Home() => variable("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
    }

    /// <summary>The folder of a model of the cache.</summary>
    /// <param name="name">A name of the hub, <c>ORG/NAME</c> or <c>ORG/NAME@REVISION</c>: a branch, a tag, or the beginning of a commit.</param>
    /// <param name="root">The cache's folder.</param>
    /// <exception cref="InputException">It is not there; the message says where it was looked for and how to fetch it.</exception>
    public static string Find(string name, string root)
    {
        var parts = Name().Match(name);
        var (model, asked) = (parts.Groups["model"].Value, parts.Groups["revision"].Value);
        var folder = Path.Combine(root, "models--" + model.Replace("/", "--", StringComparison.Ordinal));
        var fetch = $"hf download {model}{(asked.Length > 0 ? $" --revision {asked}" : "")}";
        if (!Directory.Exists(folder))
            throw new InputException(
                $"{name}: no such folder or file, and not in the Hugging Face cache ({folder}); fetch it with `{fetch}`."
            );
        var revision = asked.Length > 0 ? asked : DefaultRevision;
        return Snapshot(folder, revision) is { } snapshot
            ? snapshot
            : throw new InputException(
                $"{name}: the Hugging Face cache has no revision {revision} of it ({Revisions(folder)}); fetch it with `{fetch}`."
            );
    }

    private static string? Snapshot(string folder, string revision)
    {
        var snapshots = Path.Combine(folder, "snapshots");
        var reference = Path.Combine(folder, "refs", revision);
        if (!Directory.Exists(snapshots))
            return null;
        var commit = File.Exists(reference) ? File.ReadAllText(reference).Trim() : revision;
        var matching = Directory
            .GetDirectories(snapshots)
            .Where(snapshot =>
                Path.GetFileName(snapshot) is var whole
                && (whole == commit || (commit.Length >= ShortestCommit && whole.StartsWith(commit, StringComparison.Ordinal)))
            )
            .ToArray();
        return matching is [var one] ? one : null;
    }

    private static string Revisions(string folder)
    {
        var references = Path.Combine(folder, "refs");
        string[] there = Directory.Exists(references)
            ?
            [
                .. Directory
                    .EnumerateFiles(references, "*", SearchOption.AllDirectories)
                    .Select(file => Path.GetRelativePath(references, file))
                    .Order(),
            ]
            : [];
        return $"{folder} has {(there.Length == 0 ? "none" : string.Join(", ", there))}";
    }

    [GeneratedRegex(@"\A(?<model>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?<revision>(?!.*\.\.)[A-Za-z0-9][\w./-]*))?\z")]
    private static partial Regex Name();
}
