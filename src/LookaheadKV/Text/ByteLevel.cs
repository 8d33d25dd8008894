using System.Text;

namespace LookaheadKV.Text;

/// <summary>
/// GPT-2's spelling of bytes as printable characters, in which tokenizer.json writes its vocabulary: visible Latin-1 characters stand for
/// themselves, the other 68 bytes for U+0100 onwards (a space is "Ġ").
/// </summary>
internal static class ByteLevel
{
    private static readonly char[] Characters = new char[256];
    private static readonly Dictionary<char, byte> Bytes = new(256);

    static ByteLevel()
    {
        var next = '\u0100';
        for (var value = 0; value < 256; value++)
        {
            var visible = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            Characters[value] = visible ? (char)value : next++;
            Bytes[Characters[value]] = (byte)value;
        }
    }

    /// <summary>The 256 one-byte spellings in the order of their characters: the first tokens of every trained vocabulary.</summary>
    public static IEnumerable<string> Alphabet => Characters.Order().Select(character => character.ToString());

    /// <summary>The spelling of one byte.</summary>
    public static string Spell(byte value) => Characters[value].ToString();

    /// <summary>Spells the UTF-8 bytes of a text.</summary>
    public static string Spell(ReadOnlySpan<char> text)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        return string.Create(bytes.Length, bytes, Fill);

        static void Fill(Span<char> spelling, byte[] bytes)
        {
            for (var i = 0; i < bytes.Length; i++)
                spelling[i] = Characters[bytes[i]];
        }
    }

    /// <summary>The bytes that a spelling stands for, or null if one of its characters stands for none.</summary>
    public static byte[]? Unspell(string spelling)
    {
        var bytes = new byte[spelling.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            if (!Bytes.TryGetValue(spelling[i], out bytes[i]))
                return null;
        }

        return bytes;
    }
}
