using System.CommandLine;
using LookaheadKV.Files;

namespace LookaheadKV.Cli.Common;

/// <summary>
/// An option that names a file or folder which a verb writes: all that the command writes goes to such a place. One rule holds for all of
/// them, and is applied before the work begins: a verb replaces, or goes on with, what it wrote itself; whatever else is there is refused,
/// unless <c>--overwrite</c> is given. A model is refused even then.
/// </summary>
internal sealed class Output : Option<string?>
{
    /// <summary>Stands for standard output where a file can be named; what a verb shows then goes to standard error.</summary>
    public const string Standard = "-";

    /// <summary>Name of the option, of every verb, that lifts the refusal.</summary>
    public const string Overwrite = "--overwrite";

    private readonly Func<string, bool> _isFolder;
    private readonly Func<string, string?> _inTheWay;

    private Output(string name, string description, Func<string, bool> isFolder, Func<string, string?> inTheWay)
        : base(name)
    {
        Description = description;
        (_isFolder, _inTheWay) = (isFolder, inTheWay);
        Validators.Add(result =>
        {
            if (!MayBeStandard && result.Tokens is [{ Value: Standard }])
                result.AddError($"{name} names a folder, which standard output cannot be; give a path.");
        });
    }

    /// <summary>Where it writes when the option is not given; null: then it does not write.</summary>
    public Func<Call, string>? Fallback { get; set; }

    /// <summary>An option for a file.</summary>
    /// <param name="name">The option, with its dashes.</param>
    /// <param name="description">One line for the help.</param>
    /// <param name="own">Whether a file that is there was written by the same verb.</param>
    public static Output File(string name, string description, Func<string, bool> own) =>
        new(name, $"{description} {Standard} is standard output.", isFolder: _ => false, path => IsFree(path) || own(path) ? null : path)
        {
            MayBeStandard = true,
        };

    /// <summary>An option for a folder.</summary>
    /// <param name="name">The option, with its dashes.</param>
    /// <param name="description">One line for the help.</param>
    /// <param name="inTheWay">The file of a folder that would be replaced and is not the verb's; null where there is none.</param>
    public static Output Folder(string name, string description, Func<string, string?> inTheWay) =>
        new(name, description, isFolder: _ => true, inTheWay);

    /// <summary>An option for either, by the name that is given.</summary>
    /// <param name="file">The option for a file.</param>
    /// <param name="folder">The option for a folder, of the same name.</param>
    /// <param name="isFolder">Whether a path is that of a folder.</param>
    public static Output Either(Output file, Output folder, Func<string, bool> isFolder) =>
        new(file.Name, $"{folder.Description} {file.Description}", isFolder, path => (isFolder(path) ? folder : file)._inTheWay(path));

    /// <summary>The files of a folder, of those that the verb writes, that are there and not its own: the first, or null.</summary>
    public static string? First(string folder, params IEnumerable<(string File, Func<string, bool> Own)> written) =>
        written
            .Select(entry => (Path: System.IO.Path.Combine(folder, entry.File), entry.Own))
            .FirstOrDefault(entry => !IsFree(entry.Path) && !entry.Own(entry.Path))
            .Path;

    /// <summary>Whether <see cref="Standard"/> can be given.</summary>
    public bool MayBeStandard { get; private init; }

    /// <summary>Whether it is given.</summary>
    public bool IsStandard(ParseResult arguments) => MayBeStandard && arguments.GetResult(this)?.Tokens is [{ Value: Standard }];

    /// <summary>What messages call the place.</summary>
    public string Place(Call call) => IsStandard(call.Arguments) ? "standard output" : Path(call);

    /// <summary>The place; null where nothing shall be written.</summary>
    public string? PathIfAny(Call call) => call.Value(this) ?? Fallback?.Invoke(call);

    /// <summary>The place of an option that is required or has a fallback.</summary>
    public string Path(Call call) => PathIfAny(call)!;

    /// <summary>Refuses a place that cannot be written, or where something is that the verb did not write.</summary>
    /// <exception cref="InputException">It is such a place.</exception>
    public void Look(Call call)
    {
        if (PathIfAny(call) is not { } path || IsStandard(call.Arguments))
            return;
        var isFolder = _isFolder(path);
        if (isFolder)
            ProbeFolder(path);
        else
            AtomicFile.Probe(path);
        if (_inTheWay(path) is not { } file)
            return;
        if (!call.Overwrites)
            throw new InputException(
                $"{Name} {path}: {(file == path ? "it" : file)} is there, and was not written by `lookahead {call.Verb}`; "
                    + $"name another {(isFolder ? "folder" : "file")}, or replace it by {Overwrite}."
            );
        call.Screen.Line($"{Overwrite}: {file} is replaced");
    }

    /// <summary>Writes the file, whole or not at all.</summary>
    public void Write(Call call, Action<Stream> write) => WriteFile(call, path => AtomicFile.Write(path, write));

    /// <summary>Writes the file as text.</summary>
    public void WriteText(Call call, string text) => WriteFile(call, path => AtomicFile.WriteText(path, text));

    /// <summary>Writes the file by what writes one whole at a path; what it holds goes to standard output where that is asked for.</summary>
    public void WriteFile(Call call, Action<string> write)
    {
        if (!IsStandard(call.Arguments))
        {
            write(Path(call));
            return;
        }
        var folder = Directory.CreateTempSubdirectory("lookahead");
        try
        {
            var file = System.IO.Path.Combine(folder.FullName, "out");
            write(file);
            Copy(file, call.Arguments.InvocationConfiguration.Output);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Writes a file of the folder as text.</summary>
    public void WriteText(Call call, string file, string text) => AtomicFile.WriteText(System.IO.Path.Combine(Path(call), file), text);

    /// <summary>Deletes files of the folder, those that are there.</summary>
    public void Delete(Call call, params IEnumerable<string> files)
    {
        foreach (var path in files.Select(file => System.IO.Path.Combine(Path(call), file)).Where(System.IO.File.Exists))
            System.IO.File.Delete(path);
    }

    private static void Copy(string file, TextWriter output)
    {
        if (!ReferenceEquals(output, Console.Out))
        {
            output.Write(System.IO.File.ReadAllText(file));
            return;
        }
        // Not every file is text.
        using var from = System.IO.File.OpenRead(file);
        using var to = Console.OpenStandardOutput();
        from.CopyTo(to);
    }

    // What `mktemp` makes is no one's.
    private static bool IsFree(string path) =>
        AtomicFile.IsDevice(path) || new FileInfo(AtomicFile.Target(path)) is { Exists: false } or { Length: 0 };

    private void ProbeFolder(string folder)
    {
        var existing = System.IO.Path.GetFullPath(folder);
        while (!System.IO.Path.Exists(existing))
            existing = System.IO.Path.GetDirectoryName(existing)!;
        if (System.IO.File.Exists(existing))
            throw new InputException($"{Name} {folder}: {existing} is a file; name a folder.");
        AtomicFile.Probe(System.IO.Path.Combine(existing, "probe"));
    }
}
