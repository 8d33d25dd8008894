namespace LookaheadKV.Text;

/// <summary>Writes a file beside its place and renames it, so that a reader finds the old one or the new one, never half of it.</summary>
internal static class AtomicFile
{
    public static void Write(string path, Action<Stream> write)
    {
        var full = Path.GetFullPath(path);
        var beside = $"{full}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(beside, FileMode.CreateNew))
                write(stream);
            File.Move(beside, full, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputException(
                $"cannot write {path} ({Quoting.OneLine(error.Message)}); name a file in an existing folder that can be written.",
                error
            );
        }
        finally
        {
            if (File.Exists(beside))
                File.Delete(beside);
        }
    }
}
