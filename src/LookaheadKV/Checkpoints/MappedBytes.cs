using System.IO.MemoryMappedFiles;

namespace LookaheadKV.Checkpoints;

/// <summary>A file's bytes in memory, mapped and not read: they cost memory only while they are looked at, and the system takes it back.</summary>
internal sealed unsafe class MappedBytes : IDisposable
{
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _bytes;

    private MappedBytes(MemoryMappedFile map, long length)
    {
        (_map, Length) = (map, length);
        _view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* first = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref first);
        _bytes = first;
    }

    public long Length { get; }

    /// <summary>The byte at a place that is known to lie within the file.</summary>
    public byte* At(long offset) => _bytes + offset;

    /// <summary>A stretch that is known to lie within the file.</summary>
    public ReadOnlySpan<byte> Span(long offset, int length) => new(_bytes + offset, length);

    /// <exception cref="InputException">The file is not there, is empty, or cannot be read.</exception>
    public static MappedBytes Open(string path)
    {
        try
        {
            using var file = File.OpenHandle(path);
            var length = RandomAccess.GetLength(file); // of what a link points to, not of the link
            if (length == 0)
                throw new InputException($"{path}: the file is empty; fetch it again.");
            return new(
                MemoryMappedFile.CreateFromFile(
                    file,
                    mapName: null,
                    0,
                    MemoryMappedFileAccess.Read,
                    HandleInheritability.None,
                    leaveOpen: true
                ),
                length
            );
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read ({error.Message.ReplaceLineEndings(" ")}).", error);
        }
    }

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
    }
}
