using System.Globalization;

namespace LookaheadKV.Text;

/// <summary>SentencePiece's tokens of single bytes: &lt;0x00&gt; to &lt;0xFF&gt;.</summary>
internal static class ByteTokens
{
    /// <summary>All 256, in the order of their bytes.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>")];

    /// <summary>The byte that a token stands for, or null if it is another kind of token.</summary>
    public static byte? Value(string token) =>
        token.Length == 6
        && token.StartsWith("<0x", StringComparison.Ordinal)
        && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;
}
