using System.CommandLine;

namespace LookaheadKV.Cli.Common;

/// <summary>The option <c>--report</c>: a folder for an HTML page.</summary>
internal sealed class ReportFolder
{
    private const string Page = "index.html";
    private readonly Output _folder = Output.Folder(
        "--report",
        $"Folder for an HTML report, {Page}, that works offline.",
        folder => Output.First(folder, (Page, OwnFiles.IsPage))
    );

    public Option Option => _folder;

    /// <summary>The folder; null where no report is asked for.</summary>
    public string? PathIfAny(Call call) => _folder.PathIfAny(call);

    /// <summary>Writes the report, if one is asked for, and says where it is, and whether there was one.</summary>
    /// <param name="call">The call.</param>
    /// <param name="write">Writes into a folder and returns the file's path.</param>
    public void Write(Call call, Func<string, string> write)
    {
        if (PathIfAny(call) is not { } folder)
            return;
        var before = File.Exists(Path.Combine(folder, Page)) ? ", in place of the one that was there" : "";
        call.Screen.Line($"report → {write(folder)}{before}");
    }
}
