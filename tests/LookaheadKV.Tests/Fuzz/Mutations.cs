using System.Buffers.Binary;
using System.Text;

namespace LookaheadKV.Tests.Fuzz;

/// <summary>Damages a file as disks, networks and strangers do; what comes out is a function of the seed.</summary>
internal static class Mutations
{
    private static readonly byte[][] Extremes =
    [
        [0x00],
        [0xFF],
        [0x7F],
        [0x80],
        .. new[] { 0L, 1, -1, int.MaxValue, uint.MaxValue, long.MaxValue, long.MinValue, 1L << 32, 1L << 40 }.Select(value =>
        {
            var bytes = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            return bytes;
        }),
    ];

    private static readonly byte[][] Pieces =
    [
        .. new[]
        {
            "{",
            "}",
            "[",
            "]",
            "\"",
            ",",
            ":",
            "null",
            "true",
            "-1",
            "0",
            "1e400",
            "99999999999999999999",
            "NaN",
            "\"\\ud83d\"",
            "\"\\u0000\"",
            "{}",
            "[]",
            "\"\"",
            "[[[[[[[[",
            "{{",
            "}}",
            "{%",
            "%}",
            "{% for x in y %}",
            "{% endfor %}",
            "{% if a %}",
            "| tojson",
            "* 999999999",
            "range(99999999)",
            "'x' * 99999999",
            "..",
            "(",
            ")",
            "\\",
            "\n",
            "\u00e9",
            "\ud83d\ude42",
            "(a+)+$",
            "\\p{L}",
        }.Select(Encoding.UTF8.GetBytes),
    ];

    /// <summary>One to four damages.</summary>
    public static byte[] Damaged(byte[] file, Random random)
    {
        var bytes = file;
        for (var left = random.Next(1, 5); left > 0; left--)
            bytes = Damage(bytes, random);
        return bytes;
    }

    private static byte[] Damage(byte[] bytes, Random random)
    {
        if (bytes.Length == 0)
            return [.. Pick(Pieces, random)];
        var (from, to) = (Place(bytes, random), Place(bytes, random));
        (from, to) = (Math.Min(from, to), Math.Min(Math.Max(from, to), Math.Min(from, to) + 64));
        switch (random.Next(8))
        {
            case 0: // a bit
                return Changed(at => (byte)(bytes[at] ^ (1 << random.Next(8))), from, from + 1);
            case 1: // bytes
                return Changed(_ => (byte)random.Next(256), from, to);
            case 2: // the end
                return bytes[..from];
            case 3: // a span is gone
                return [.. bytes[..from], .. bytes[to..]];
            case 4: // a span comes twice
                return [.. bytes[..to], .. bytes[from..]];
            case 5: // a number is extreme
                var extreme = Pick(Extremes, random);
                return [.. bytes[..from], .. extreme, .. bytes[Math.Min(bytes.Length, from + extreme.Length)..]];
            case 6: // a token of the language
                return [.. bytes[..from], .. Pick(Pieces, random), .. bytes[(random.Next(2) == 0 ? from : to)..]];
            default: // a value of JSON is another
                return Value(bytes, from, random);
        }

        byte[] Changed(Func<int, byte> change, int first, int end)
        {
            var copy = bytes.ToArray();
            for (var at = first; at < Math.Min(end, copy.Length); at++)
                copy[at] = change(at);
            return copy;
        }
    }

    // Mostly where a format has its header.
    private static int Place(byte[] bytes, Random random) =>
        random.Next(2) == 0 ? random.Next(bytes.Length) : random.Next(Math.Min(bytes.Length, 1024));

    private static byte[] Value(byte[] bytes, int from, Random random)
    {
        var begin = bytes.AsSpan(from).IndexOf((byte)':');
        if (begin < 0)
            return bytes[..from];
        begin += from + 1;
        var length = bytes.AsSpan(begin).IndexOfAny(",}]\n"u8);
        return [.. bytes[..begin], .. Pick(Pieces, random), .. length < 0 ? [] : bytes[(begin + length)..]];
    }

    private static T Pick<T>(T[] values, Random random) => values[random.Next(values.Length)];
}
