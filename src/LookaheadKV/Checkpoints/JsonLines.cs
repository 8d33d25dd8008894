using System.Text;
using System.Text.Json;

namespace LookaheadKV.Checkpoints;

/// <summary>Logs of one JSON value a line, which a killed process leaves with half a line at its end at worst.</summary>
internal static class JsonLines
{
    /// <summary>All values; none where there is no file.</summary>
    /// <exception cref="InputException">A line is no such value.</exception>
    public static IReadOnlyList<T> Read<T>(string path)
    {
        if (!File.Exists(path))
            return [];
        return [.. File.ReadLines(path).Select((line, i) => Value(line, i + 1))];

        T Value(string line, int number) =>
            Parse<T>(line) is (true, var value)
                ? value!
                : throw new InputException($"{path}: line {number} is not what this file is made of; restore the file or delete it.");
    }

    /// <summary>Appends a value and hands it to the operating system: it survives the end of this process.</summary>
    public static void Append<T>(string path, T value) => File.AppendAllText(path, JsonSerializer.Serialize(value) + "\n");

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
    public static bool Holds<T>(string line, Func<T, bool> holds) => Parse<T>(line) is (true, var value) && holds(value!);

    private static (bool Sound, T? Value) Parse<T>(string line)
    {
        try
        {
            var value = JsonSerializer.Deserialize<T>(line);
            return (value is not null, value);
        }
        catch (JsonException)
        {
            return (false, default);
        }
    }
}
