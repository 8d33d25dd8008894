using System.Text;

namespace LookaheadKV.Files;

/// <summary>
/// Writes a file beside its place and renames it, so that a reader finds the old one or the new one, never half of it. A link stays one: what it
/// points to is replaced. Devices, such as /dev/null and /dev/stdout, are written to.
/// </summary>
internal static class AtomicFile
{
    private const string Extension = ".tmp";

    public static void Write(string path, Action<Stream> write)
    {
        var full = Target(path);
        var beside = Beside(full);
        try
        {
            if (IsDevice(path))
            {
                using var device = new FileStream(path, FileMode.Open, FileAccess.Write);
                write(device);
                return;
            }
            using (var stream = new FileStream(beside, FileMode.CreateNew))
                write(stream);
            Rename(beside, full);
        }
        catch (Exception error) when (Writing.IsRefusal(error))
        {
            throw Writing.Refused(path, error);
        }
        finally
        {
            if (File.Exists(beside))
                File.Delete(beside);
        }
    }

    /// <summary>Writes text as UTF-8 without a byte order mark.</summary>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>
    /// Removes what killed writers left beside files of the folder that are there now. A writer at work may lose its file by this; it
    /// then finds the place taken, which is no error.
    /// </summary>
    public static void Sweep(string folder)
    {
        foreach (var left in Directory.EnumerateFiles(folder, $"*{Extension}").Where(file => File.Exists(Written(file))))
            try
            {
                File.Delete(left);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // It is in use on a system that locks open files, or not ours: harmless where it is.
            }
    }

    /// <summary>Makes sure that <see cref="Write"/> can succeed, before the work whose result it is; leaves nothing.</summary>
    /// <exception cref="InputException">The place cannot be written.</exception>
    public static void Probe(string path)
    {
        if (Directory.Exists(path))
            throw Writing.Refused(path, "it is a folder");
        if (IsDevice(path))
            return;
        try
        {
            using var probe = new FileStream(
                Beside(Target(path)),
                FileMode.CreateNew,
                FileAccess.Write,
                FileShare.None,
                1,
                FileOptions.DeleteOnClose
            );
        }
        catch (Exception error) when (Writing.IsRefusal(error))
        {
            throw Writing.Refused(path, error);
        }
    }

    /// <summary>Whether a path is that of a device, which cannot be replaced.</summary>
    public static bool IsDevice(string path) =>
        !OperatingSystem.IsWindows()
        && Path.GetFullPath(path) is var full
        && full.StartsWith("/dev/", StringComparison.Ordinal)
        && !full.StartsWith("/dev/shm/", StringComparison.Ordinal);

    /// <summary>The full path that is written: where a link points to, whether or not something is there.</summary>
    public static string Target(string path)
    {
        var full = Path.GetFullPath(path);
        if (IsDevice(full) || new FileInfo(full).LinkTarget is null)
            return full;
        try
        {
            return File.ResolveLinkTarget(full, returnFinalTarget: true)!.FullName;
        }
        catch (IOException error)
        {
            throw Writing.Refused(path, error); // links in a circle
        }
    }

    private static string Beside(string path) => $"{path}.{Guid.NewGuid():N}{Extension}";

    // The inverse of Beside; null for files that are none of ours.
    private static string? Written(string file)
    {
        var stem = file[..^Extension.Length];
        return Guid.TryParseExact(Path.GetExtension(stem).TrimStart('.'), "N", out _) ? Path.ChangeExtension(stem, null) : null;
    }

    private static void Rename(string beside, string path)
    {
        try
        {
            File.Move(beside, path, overwrite: true);
        }
        catch (FileNotFoundException) when (File.Exists(path))
        {
            // Another process wrote the same file and swept ours away: its result stands.
        }
    }
}
