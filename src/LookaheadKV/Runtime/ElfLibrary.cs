using System.Buffers.Binary;
using System.Text;

namespace LookaheadKV.Runtime;

/// <summary>
/// The symbol versions that a 64-bit little-endian ELF library demands of the libraries it links to, and how to make an unused one
/// optional.
/// </summary>
/// <remarks>
/// The loader refuses a library when any version it lists is absent, even one that no used symbol carries. An entry marked weak
/// (VER_FLG_WEAK) is not insisted on. The layout read here is the System V ABI's program header, dynamic section, Elf64_Rela, and the
/// GNU Elf64_Verneed / Elf64_Vernaux records.
/// </remarks>
internal sealed class ElfLibrary
{
    private const ushort Weak = 2;
    private const int RelocationSize = 24;

    private enum SegmentType : uint
    {
        Load = 1,
        Dynamic = 2,
    }

    private enum Tag : long
    {
        PltRelocationsSize = 2,
        Strings = 5,
        Relocations = 7,
        RelocationsSize = 8,
        PltRelocations = 23,
        SymbolVersions = 0x6ffffff0,
        VersionNeeds = 0x6ffffffe,
        VersionNeedsCount = 0x6fffffff,
    }

    /// <summary>A version need: the library it is demanded of, the version's name, whether it is optional, where its flags lie.</summary>
    internal readonly record struct Need(string Library, string Version, bool Optional, int FlagsOffset);

    private readonly record struct Segment(SegmentType Type, long Offset, long Address, long Size);

    private readonly byte[] elf;
    private readonly List<Segment> segments;
    private readonly Dictionary<Tag, long> dynamic;

    private ElfLibrary(byte[] elf)
    {
        this.elf = elf;
        segments = [.. Segments()];
        dynamic = Dynamic();
    }

    /// <summary>The machine number (e_machine: 62 x86-64, 183 AArch64) of an ELF file's first bytes; null if they are not ELF.</summary>
    internal static ushort? Machine(ReadOnlySpan<byte> header) =>
        header.Length >= 20 && header[..4].SequenceEqual("\u007fELF"u8) ? BinaryPrimitives.ReadUInt16LittleEndian(header[18..]) : null;

    /// <summary>All version needs of the library, in the file's order.</summary>
    /// <exception cref="InvalidDataException">The bytes are not a 64-bit little-endian ELF library, or its tables lie outside of it.</exception>
    internal static IReadOnlyList<Need> VersionNeeds(byte[] elf) => Read(elf, library => library.VersionNeeds());

    /// <summary>A copy of the library in which every need of <paramref name="version"/> is optional; nothing else differs.</summary>
    /// <exception cref="InvalidDataException">Not a readable ELF library, it has no such need, or it uses a symbol of that version.</exception>
    internal static byte[] MakeOptional(byte[] elf, string version)
    {
        var (needs, used) = Read(
            elf,
            library => (library.VersionNeeds().Where(need => need.Version == version).ToList(), library.UsedVersions())
        );
        if (needs.Count == 0)
            throw new InvalidDataException($"it has no need of {version}");
        var copy = (byte[])elf.Clone();
        foreach (var need in needs)
        {
            // Elf64_Vernaux: hash (4 bytes), flags (2), index (2), ...
            if (used.Contains(U16(elf, need.FlagsOffset + 2)))
                throw new InvalidDataException($"it uses {version} of {need.Library}, which this system lacks");
            BinaryPrimitives.WriteUInt16LittleEndian(copy.AsSpan(need.FlagsOffset), (ushort)(U16(elf, need.FlagsOffset) | Weak));
        }
        return copy;
    }

    private static T Read<T>(byte[] elf, Func<ElfLibrary, T> read)
    {
        if (elf.Length < 64 || Machine(elf) is null || elf[4] != 2 || elf[5] != 1)
            throw new InvalidDataException("it is not a 64-bit little-endian ELF file");
        try
        {
            return read(new ElfLibrary(elf));
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException or KeyNotFoundException)
        {
            throw new InvalidDataException("its ELF tables are incomplete", e);
        }
    }

    private List<Need> VersionNeeds()
    {
        List<Need> found = [];
        var strings = FileOffset(dynamic[Tag.Strings]);
        var library = FileOffset(dynamic[Tag.VersionNeeds]);
        for (var i = 0L; i < dynamic[Tag.VersionNeedsCount]; i++)
        {
            // Elf64_Verneed: version (2), count (2), then in 4 bytes each: file name, first entry and next record (from this one on).
            var name = Text(strings + U32(elf, library + 4));
            var entry = library + U32(elf, library + 8);
            for (var j = 0; j < U16(elf, library + 2); j++)
            {
                // Elf64_Vernaux: hash (4), flags (2), index (2), name (4), next (4).
                var flags = checked((int)entry + 4);
                found.Add(new Need(name, Text(strings + U32(elf, entry + 8)), (U16(elf, flags) & Weak) != 0, flags));
                entry += U32(elf, entry + 12);
            }
            library += U32(elf, library + 12);
        }
        return found;
    }

    /// <summary>The indices of the versions whose symbols a relocation refers to: those the loader will look up.</summary>
    private HashSet<ushort> UsedVersions()
    {
        var used = new HashSet<ushort>();
        var versions = FileOffset(dynamic[Tag.SymbolVersions]);
        foreach (var (table, size) in new[] { (Tag.Relocations, Tag.RelocationsSize), (Tag.PltRelocations, Tag.PltRelocationsSize) })
        {
            if (!dynamic.TryGetValue(table, out var address))
                continue;
            var start = FileOffset(address);
            for (var at = start; at < start + dynamic[size]; at += RelocationSize)
            {
                // Elf64_Rela: offset (8), type (4), symbol (4), addend (8). A symbol's version is an index without its top bit.
                used.Add((ushort)(U16(elf, versions + 2L * U32(elf, at + 12)) & 0x7fff));
            }
        }
        return used;
    }

    private IEnumerable<Segment> Segments()
    {
        var table = I64(elf, 32);
        var size = U16(elf, 54);
        for (var i = 0; i < U16(elf, 56); i++)
        {
            var header = table + i * size;
            yield return new Segment((SegmentType)U32(elf, header), I64(elf, header + 8), I64(elf, header + 16), I64(elf, header + 32));
        }
    }

    private Dictionary<Tag, long> Dynamic()
    {
        var entries = new Dictionary<Tag, long>();
        foreach (var segment in segments.Where(segment => segment.Type == SegmentType.Dynamic))
        {
            for (var at = segment.Offset; at < segment.Offset + segment.Size; at += 16)
                entries[(Tag)I64(elf, at)] = I64(elf, at + 8);
        }
        return entries;
    }

    /// <summary>The dynamic section speaks in virtual addresses; the load segments say where those lie in the file.</summary>
    private long FileOffset(long address)
    {
        foreach (var segment in segments)
        {
            if (segment.Type == SegmentType.Load && address >= segment.Address && address < segment.Address + segment.Size)
                return segment.Offset + (address - segment.Address);
        }
        throw new ArgumentOutOfRangeException(nameof(address));
    }

    private string Text(long at)
    {
        var rest = elf.AsSpan(checked((int)at));
        return Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    private static ushort U16(byte[] bytes, long at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(checked((int)at)));

    private static uint U32(byte[] bytes, long at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(checked((int)at)));

    private static long I64(byte[] bytes, long at) => BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(checked((int)at)));
}
