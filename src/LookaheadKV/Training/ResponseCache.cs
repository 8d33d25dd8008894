using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using LookaheadKV.Files;

namespace LookaheadKV.Training;

/// <summary>
/// Responses on disk, one JSON line each, under a key made of what they depend on: the model, the settings and the prompt. A killed run
/// leaves half a line at worst, which is dropped.
/// </summary>
public sealed class ResponseCache
{
    /// <summary>Name of the file within a training's folder.</summary>
    public const string FileName = "responses.jsonl";

    private const int KeyLength = 32;
    private const string LineStart = "{\"Key\":";
    private readonly string _path;
    private readonly byte[] _settings;
    private readonly Dictionary<string, int[]> _known;

    private ResponseCache(string path, string settings)
    {
        (_path, _settings) = (path, Encoding.UTF8.GetBytes(settings));
        JsonLines.Keep<Line>(path, IsLine);
        _known = JsonLines.Read<Line>(path).GroupBy(line => line.Key).ToDictionary(group => group.Key, group => group.Last().Response);
    }

    /// <summary>Opens a file, which is made when the first response comes.</summary>
    /// <param name="path">The file; several models and settings may share it.</param>
    /// <param name="settings">All that a response depends on beside its prompt: the model's fingerprint, dtype, how tokens are drawn.</param>
    /// <exception cref="InputException">The file cannot be written, or holds other things.</exception>
    public static ResponseCache Open(string path, string settings)
    {
        AtomicFile.Probe(path);
        Require(path);
        return new ResponseCache(path, settings);
    }

    /// <summary>Refuses a file that holds other things; none, an empty one, and one with half of a first line pass.</summary>
    /// <exception cref="InputException">It holds other things.</exception>
    internal static void Require(string path)
    {
        if (!File.Exists(path))
            return;
        string[] lines = [.. File.ReadLines(path).Take(2)];
        if (lines.Length == 0 || JsonLines.Holds<Line>(lines[0], IsLine) || (lines.Length == 1 && IsHalf(lines[0])))
            return;
        throw new InputException($"{path} holds other things than remembered responses, which stay as they are; name another file.");
    }

    private static bool IsLine(Line line) => line is { Key: not null, Response.Length: > 0 };

    private static bool IsHalf(string text) =>
        text.StartsWith(LineStart, StringComparison.Ordinal) || LineStart.StartsWith(text, StringComparison.Ordinal);

    /// <summary>The response to a prompt; null where it is not known.</summary>
    public int[]? Find(int[] prompt) => _known.GetValueOrDefault(Key(prompt));

    /// <summary>Remembers a response, on disk when this returns.</summary>
    public void Add(int[] prompt, int[] response)
    {
        var key = Key(prompt);
        _known[key] = response;
        JsonLines.Append(_path, new Line(key, response));
    }

    internal static byte[] Bytes(byte[] settings, int[] prompt) => [.. settings, 0, .. MemoryMarshal.AsBytes(prompt.AsSpan())];

    private string Key(int[] prompt) => Convert.ToHexStringLower(SHA256.HashData(Bytes(_settings, prompt)))[..KeyLength];

    private sealed record Line(string Key, int[] Response);
}
