namespace LookaheadKV.Files;

/// <summary>What goes wrong while files are written, in one line: no room, no permission, no folder.</summary>
internal static class Writing
{
    // ENOSPC and EDQUOT, and the two names that Windows has for a full disk. A file beyond what its system can hold, EFBIG, is an argument's fault in .NET.
    private static readonly int[] NoRoom = [28, 122, unchecked((int)0x80070027), unchecked((int)0x80070070)];

    /// <summary>Whether the system refused to write, or to read.</summary>
    public static bool IsRefusal(Exception error) => error is IOException or UnauthorizedAccessException || IsTooLong(error);

    /// <summary>The error of a file that cannot be written.</summary>
    public static InputException Refused(string path, Exception error) =>
        IsTooLong(error)
            ? new($"cannot write {path} (it is too long for its file system, or for a limit on files); name a file elsewhere.", error)
        : NoRoom.Contains(error.HResult)
            ? new($"cannot write {path} (no room is left on its disk); make room, or name a file elsewhere.", error)
        : Refused(path, error.Message, error);

    /// <summary>The same, for a reason that is known.</summary>
    public static InputException Refused(string path, string why, Exception? error = null)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path));
        var cause = Directory.Exists(folder) ? Quoting.OneLine(why) : $"there is no folder {folder}";
        return new($"cannot write {path} ({cause}); name a file in an existing folder that can be written.", error!);
    }

    /// <summary>Appends bytes and hands them to the operating system; where that fails, what was there before is all there is.</summary>
    /// <param name="file">The file, at its end and without a buffer, which would be written once more when it is closed.</param>
    /// <param name="bytes">What follows.</param>
    /// <exception cref="InputException">There is no room.</exception>
    public static void Append(FileStream file, ReadOnlySpan<byte> bytes)
    {
        var end = file.Position;
        try
        {
            file.Write(bytes);
        }
        catch (Exception error) when (IsRefusal(error))
        {
            file.SetLength(end);
            throw Refused(file.Name, error);
        }
    }

    private static bool IsTooLong(Exception error) => error is ArgumentOutOfRangeException { ParamName: "value" };
}
