using System.Text;
using System.Text.Json;

namespace LookaheadKV.Files;

/// <summary>Logs of one JSON value a line, which a killed process leaves with half a line at its end at worst.</summary>
internal static class JsonLines
{
    /// <summary>All values; none where there is no file.</summary>
    /// <exception cref="InputException">A line is no such value.</exception>
    public static IReadOnlyList<T> Read<T>(string path)
    {
        if (!File.Exists(path))
            return [];
        return [.. File.ReadLines(path).Select((line, i) => Value<T>(path, line, i + 1))];
    }

    /// <summary>The values of all lines that are whole; none where there is no file.</summary>
    public static IEnumerable<T> Whole<T>(string path) =>
        File.Exists(path)
            ? File.ReadLines(path).Where(line => Holds<T>(line, static _ => true)).Select(line => Value<T>(path, line, 0))
            : [];

    /// <summary>Appends a value and hands it to the operating system: it survives the end of this process.</summary>
    /// <exception cref="InputException">It cannot be written; the file is as it was.</exception>
    public static void Append<T>(string path, T value)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            Writing.Append(file, Encoding.UTF8.GetBytes(JsonSerializer.Serialize(value) + "\n"));
        }
        catch (Exception error) when (Writing.IsRefusal(error))
        {
            throw Writing.Refused(path, error);
        }
    }

    /// <summary>Keeps the values that hold; drops them and what is no value, such as half a line at the end, otherwise.</summary>
    public static void Keep<T>(string path, Func<T, bool> holds)
    {
        if (!File.Exists(path))
            return;
        var kept = new StringBuilder();
        foreach (var line in File.ReadLines(path).Where(line => Holds(line, holds)))
            kept.Append(line).Append('\n');
        AtomicFile.WriteText(path, kept.ToString());
    }

    /// <summary>Whether a line is such a value, for which something holds.</summary>
    public static bool Holds<T>(string line, Func<T, bool> holds)
    {
        try
        {
            return holds(Value<T>("", line, 0));
        }
        catch (InputException)
        {
            return false;
        }
    }

    private static T Value<T>(string path, string line, int number) =>
        new JsonText(path, Encoding.UTF8.GetBytes(line), number).As<T>("what this file is made of; restore it or delete it");
}
