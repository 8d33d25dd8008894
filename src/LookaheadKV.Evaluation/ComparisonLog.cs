using System.Text;
using System.Text.Json;
using LookaheadKV.Files;

namespace LookaheadKV.Evaluation;

/// <summary>
/// A comparison's results as they come: what they depend on in a first line of JSON, a prompt's results in every other. A killed run leaves half
/// a line at worst, which is dropped; the next run of the same settings goes on behind the last whole one.
/// </summary>
public sealed class ComparisonLog : IDisposable
{
    private readonly string _path;
    private readonly FileStream _file;
    private int _prompts;

    private ComparisonLog(string path, FileStream file, IReadOnlyList<IReadOnlyList<PromptResult>> earlier)
    {
        (_path, _file, Earlier, _prompts) = (path, file, earlier, earlier.Count);
    }

    /// <summary>Results of earlier runs, a prompt each, in the order of the comparison.</summary>
    public IReadOnlyList<IReadOnlyList<PromptResult>> Earlier { get; }

    /// <summary>The settings of the results in a file; null where there is none, or an empty one.</summary>
    /// <exception cref="InputException">The file holds other things.</exception>
    public static RunSettings? SettingsIn(string path)
    {
        string[] lines = File.Exists(path) ? Opened(path, () => File.ReadLines(path).Take(2).ToArray()) : [];
        if (lines.Length == 0)
            return null;
        var settings = RunSettings.OfJson(lines[0]);
        if (settings is null && lines is [['{', ..]])
            return null; // half of the first line
        return settings
            ?? throw new InputException($"{path} holds other things than results of a comparison, which stay as they are; move it.");
    }

    /// <summary>Opens a file, which no other process can use until this is disposed.</summary>
    /// <param name="path">The file, made if need be.</param>
    /// <param name="settings">What the results depend on; they must be those of the file.</param>
    /// <param name="restart">Whether results that are there are given up, whatever their settings.</param>
    /// <exception cref="InputException">The file holds results of other settings, is in use, or cannot be written.</exception>
    public static ComparisonLog Open(string path, RunSettings settings, bool restart = false)
    {
        if (SettingsIn(path)?.DifferenceTo(settings) is { } difference && !restart)
            throw new InputException($"{path} holds results of other settings ({difference}); name another file, or delete it.");
        var file = Opened(path, () => new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0));
        if (restart)
            file.SetLength(0);
        var (earlier, end) = Whole(file);
        file.SetLength(end);
        file.Position = end;
        var log = new ComparisonLog(path, file, earlier);
        try
        {
            if (end == 0)
                log.Append(settings.ToJson());
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>Adds the results of the next prompt, which are with the operating system when this returns.</summary>
    public void Add(IReadOnlyList<PromptResult> results)
    {
        Append(JsonSerializer.Serialize(results));
        _prompts++;
    }

    /// <summary>Deletes the file: the whole result is elsewhere.</summary>
    public void Delete() => File.Delete(_path);

    /// <summary>Closes the file; one without results goes.</summary>
    public void Dispose()
    {
        if (_prompts == 0)
            Delete();
        _file.Dispose();
    }

    private static T Opened<T>(string path, Func<T> open)
    {
        try
        {
            return open();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException(
                $"{path} cannot be opened ({e.Message.ReplaceLineEndings(" ")}): is another process at work on the same results?",
                e
            );
        }
    }

    private void Append(string line) => Writing.Append(_file, Encoding.UTF8.GetBytes(line + "\n"));

    // The results of whole lines, and where the last of them ends.
    private static (IReadOnlyList<IReadOnlyList<PromptResult>> Results, int End) Whole(FileStream file)
    {
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        var (results, end) = (new List<IReadOnlyList<PromptResult>>(), 0);
        for (int next; (next = bytes.AsSpan(end).IndexOf((byte)'\n')) >= 0; end += next + 1)
        {
            if (end == 0)
                continue; // the settings
            try
            {
                results.Add(JsonSerializer.Deserialize<PromptResult[]>(bytes.AsSpan(end, next)) ?? []);
            }
            catch (JsonException)
            {
                break;
            }
        }
        return (results, end);
    }
}
