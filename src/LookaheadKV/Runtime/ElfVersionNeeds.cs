using System.Buffers.Binary;
using System.Text;

namespace LookaheadKV.Runtime;

/// <summary>
/// The symbol versions that a 64-bit little-endian ELF library demands of the libraries it links to (its GNU version needs), and how to
/// make one of them optional.
/// </summary>
/// <remarks>
/// The loader refuses a library when any version it lists is absent, even one that no used symbol carries. TorchSharp's library lists
/// GLIBCXX_3.4.32 only because the compiler of a newer system leaves an unused marker symbol behind; marking that entry weak
/// (VER_FLG_WEAK) lets older systems load it. The layout read here is the System V ABI's program header, dynamic section and
/// Elf64_Verneed / Elf64_Vernaux records.
/// </remarks>
internal static class ElfVersionNeeds
{
    private const ushort Weak = 2;
    private const uint LoadSegment = 1;
    private const uint DynamicSegment = 2;
    private const long StringTableTag = 5;
    private const long VersionNeedsTag = 0x6ffffffe;
    private const long VersionNeedsCountTag = 0x6fffffff;

    /// <summary>A version need: the library it is demanded of, the version's name, whether it is optional, where its flags lie.</summary>
    internal readonly record struct Need(string Library, string Version, bool Optional, int FlagsOffset);

    /// <summary>The machine number (e_machine: 62 x86-64, 183 AArch64) of an ELF file's first bytes; null if they are not ELF.</summary>
    internal static ushort? Machine(ReadOnlySpan<byte> header) =>
        header.Length >= 20 && header[..4].SequenceEqual("\u007fELF"u8) ? U16(header, 18) : null;

    /// <summary>All version needs of the library, in the file's order.</summary>
    /// <exception cref="InvalidDataException">The bytes are not a 64-bit little-endian ELF library, or its tables lie outside of it.</exception>
    internal static IReadOnlyList<Need> Read(ReadOnlySpan<byte> elf)
    {
        if (elf.Length < 64 || Machine(elf) is null || elf[4] != 2 || elf[5] != 1)
            throw new InvalidDataException("not a 64-bit little-endian ELF file");
        try
        {
            return ReadTables(elf);
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException("the ELF version tables lie outside of the file", e);
        }
    }

    /// <summary>A copy of the library in which every need of <paramref name="version"/> is optional; nothing else differs.</summary>
    /// <exception cref="InvalidDataException">Not a readable ELF library, or it has no such need.</exception>
    internal static byte[] MakeOptional(ReadOnlySpan<byte> elf, string version)
    {
        var needs = Read(elf).Where(need => need.Version == version).ToList();
        if (needs.Count == 0)
            throw new InvalidDataException($"the library has no version need {version}");
        var copy = elf.ToArray();
        foreach (var need in needs)
        {
            var flags = copy.AsSpan(need.FlagsOffset, 2);
            BinaryPrimitives.WriteUInt16LittleEndian(flags, (ushort)(U16(flags, 0) | Weak));
        }
        return copy;
    }

    private static List<Need> ReadTables(ReadOnlySpan<byte> elf)
    {
        var segments = Segments(elf);
        var (strings, needs, count) = (-1L, -1L, 0L);
        foreach (var dynamic in segments.Where(segment => segment.Type == DynamicSegment))
        {
            for (var at = dynamic.Offset; at < dynamic.Offset + dynamic.Size; at += 16)
            {
                var value = I64(elf, checked((int)at + 8));
                switch (I64(elf, (int)at))
                {
                    case StringTableTag:
                        strings = FileOffset(segments, value);
                        break;
                    case VersionNeedsTag:
                        needs = FileOffset(segments, value);
                        break;
                    case VersionNeedsCountTag:
                        count = value;
                        break;
                }
            }
        }

        List<Need> found = [];
        var library = checked((int)needs);
        for (var i = 0L; i < count; i++)
        {
            // Elf64_Verneed: version, count, file name, first entry, next record (offsets are relative to the record).
            var name = Text(elf, strings + U32(elf, library + 4));
            var entry = checked(library + (int)U32(elf, library + 8));
            for (var j = 0; j < U16(elf, library + 2); j++)
            {
                // Elf64_Vernaux: hash, flags, index, name, next.
                var optional = (U16(elf, entry + 4) & Weak) != 0;
                found.Add(new Need(name, Text(elf, strings + U32(elf, entry + 8)), optional, entry + 4));
                entry = checked(entry + (int)U32(elf, entry + 12));
            }
            library = checked(library + (int)U32(elf, library + 12));
        }
        return found;
    }

    private readonly record struct Segment(uint Type, long Offset, long Address, long Size);

    private static List<Segment> Segments(ReadOnlySpan<byte> elf)
    {
        var table = checked((int)I64(elf, 32));
        var (size, count) = (U16(elf, 54), U16(elf, 56));
        List<Segment> segments = [];
        for (var i = 0; i < count; i++)
        {
            var header = elf.Slice(checked(table + i * size), 56);
            segments.Add(new Segment(U32(header, 0), I64(header, 8), I64(header, 16), I64(header, 32)));
        }
        return segments;
    }

    /// <summary>The dynamic section speaks in virtual addresses; the load segments say where those lie in the file.</summary>
    private static long FileOffset(List<Segment> segments, long address)
    {
        foreach (var segment in segments)
        {
            if (segment.Type == LoadSegment && address >= segment.Address && address < segment.Address + segment.Size)
                return segment.Offset + (address - segment.Address);
        }
        throw new ArgumentOutOfRangeException(nameof(address));
    }

    private static string Text(ReadOnlySpan<byte> elf, long at)
    {
        var rest = elf[checked((int)at)..];
        return Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long I64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}
