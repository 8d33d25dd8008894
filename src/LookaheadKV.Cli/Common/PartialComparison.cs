using LookaheadKV.Evaluation;
using LookaheadKV.Files;

namespace LookaheadKV.Cli.Common;

/// <summary>
/// Where a comparison keeps the results of its prompts until it is done: beside the file of <c>--json</c>, else in the folder of the report, else
/// nowhere. Results of other settings are refused, whole or in part.
/// </summary>
internal static class PartialComparison
{
    private const string Extension = ".partial";
    private const string Settings = "settings";

    /// <summary>The file; null where nothing is kept.</summary>
    public static string? Place(string? json, string? report) =>
        json is not null && !AtomicFile.IsDevice(json) ? json + Extension
        : report is not null ? Path.Combine(report, "compare" + Extension)
        : null;

    /// <summary>Opens the file, with what an earlier call of the same settings left in it.</summary>
    /// <param name="place">The file; null keeps nothing.</param>
    /// <param name="json">The file of the whole result, if there shall be one.</param>
    /// <param name="settings">What the results depend on.</param>
    /// <param name="restart">Whether what is there is given up.</param>
    /// <exception cref="InputException">What is there is of other settings.</exception>
    public static ComparisonLog? Open(string? place, string? json, RunSettings settings, bool restart)
    {
        if (place is null)
            return null;
        var partial = ComparisonLog.SettingsIn(place); // other things are refused even where it begins anew
        if (!restart && partial is not null)
            Require(place, partial, settings);
        else if (!restart && json is not null && OfResult(json) is { } whole)
            Require(json, whole, settings);
        OutputFolder.Create(Path.GetDirectoryName(Path.GetFullPath(place))!);
        return ComparisonLog.Open(place, settings, restart);
    }

    private static void Require(string path, RunSettings there, RunSettings now)
    {
        if (there.DifferenceTo(now) is { } difference)
            throw new InputException(
                $"{path} holds results of other settings ({difference}); name another file, or begin anew by {Verb.Restart}."
            );
    }

    // Results of versions that kept no settings have none in common with any.
    private static RunSettings? OfResult(string json) =>
        OwnFiles.Member(json, "run") is null ? null
        : OwnFiles.Member(json, Settings) is { } settings && RunSettings.OfJson(settings.GetRawText()) is { } known ? known
        : RunSettings.None;
}
