using System.CommandLine;
using LookaheadKV.Checkpoints;

namespace LookaheadKV.Cli.Common;

/// <summary>The option <c>--report</c>: a folder for an HTML page, probed before the long work rather than behind it.</summary>
internal sealed class ReportFolder
{
    private readonly Option<string?> _folder = new("--report")
    {
        Description = "Folder for an HTML report, index.html, that works offline.",
    };

    public Option Option => _folder;

    /// <summary>Refuses a folder that cannot be written.</summary>
    /// <exception cref="InputException">It cannot.</exception>
    public void Probe(Call call)
    {
        if (call.Value(_folder) is not { } folder)
            return;
        var existing = Path.GetFullPath(folder);
        while (!Path.Exists(existing))
            existing = Path.GetDirectoryName(existing)!;
        if (File.Exists(existing))
            throw new InputException($"--report {folder}: {existing} is a file; name a folder.");
        AtomicFile.Probe(Path.Combine(existing, "index.html"));
    }

    /// <summary>Writes the report, if one is asked for, and says where it is.</summary>
    /// <param name="call">The call.</param>
    /// <param name="write">Writes into a folder and returns the file's path.</param>
    public void Write(Call call, Func<string, string> write)
    {
        if (call.Value(_folder) is { } folder)
            call.Screen.Line($"report → {write(folder)}");
    }
}
