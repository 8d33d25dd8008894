using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LookaheadKV.Runtime;

/// <summary>
/// Finds and loads libtorch and TorchSharp's native library, once per process and never two copies of either.
/// </summary>
/// <remarks>
/// <para>Whatever references LookaheadKV needs to do nothing: the first use of anything in it loads them. A script that uses
/// <c>torch</c> before it uses anything of LookaheadKV calls <see cref="Load"/> in its first line. A program some of whose work needs no
/// tensors may set the switch <see cref="LateSwitch"/> and calls <see cref="Load"/> before the first one.</para>
/// <para>libtorch is looked for in (1) the folder that the environment variable <c>LOOKAHEADKV_LIBTORCH</c> names, such as the
/// <c>torch/lib</c> of a PyTorch install with CUDA; (2) the program's folder and LookaheadKV's, and <c>runtimes/RID/native</c> beside
/// them; (3) the NuGet cache; (4) wherever the system's loader looks (<c>LD_LIBRARY_PATH</c>). If the variable is set, nothing else is
/// tried. The CUDA library is loaded too where the folder has it.</para>
/// <para>A failure surfaces as an <see cref="InputException"/>, wrapped by the runtime in a
/// <see cref="TypeInitializationException"/>: <see cref="Exception.GetBaseException"/> is the one to show.</para>
/// </remarks>
public static class NativeLibraries
{
    /// <summary>The environment variable that names a folder with libtorch.</summary>
    public const string FolderVariable = "LOOKAHEADKV_LIBTORCH";

    /// <summary>The <see cref="AppContext"/> switch, of <c>runtimeconfig.json</c>, by which nothing is loaded before <see cref="Load"/> is called.</summary>
    public const string LateSwitch = "LookaheadKV.LoadsLate";

    private const string Shim = "LibTorchSharp";
    private const string LibTorch = "torch_cpu";

    // Dependencies first: each is then found by its name in the process, whatever LD_LIBRARY_PATH says, and copies never mix.
    private static readonly string[] LibTorchParts = ["c10", LibTorch, "c10_cuda", "torch_cuda", "torch"];

    private static readonly Lock Loading = new();
    private static volatile bool _isLoaded;

    /// <summary>Loads libtorch and TorchSharp's native library unless they are loaded. Thread-safe.</summary>
    /// <exception cref="InputException">A library is missing, of the wrong architecture, or cannot be loaded; or <see cref="FolderVariable"/>
    /// names a folder that cannot serve. Where the first use of this assembly has tried, it is the base exception of a
    /// <see cref="TypeInitializationException"/>.</exception>
    public static void Load()
    {
        RuntimeHelpers.RunModuleConstructor(typeof(NativeLibraries).Module.ModuleHandle);
        LoadAll();
    }

    /// <summary>
    /// Runs before anything else of this assembly, hence before TorchSharp's own search, which starts in the static constructor of
    /// <c>torch</c> and knows neither the variable nor the older C++ runtimes. It asks the system's loader for "torch_cpu" and
    /// "LibTorchSharp" by name, and gets what is in the process already.
    /// </summary>
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "Scripts and notebooks have no entry point of their own to do this in.")]
    internal static void LoadAtStart()
    {
        HugePages.Request();
        if (!(AppContext.TryGetSwitch(LateSwitch, out var isLate) && isLate))
            LoadAll();
    }

    private static void LoadAll()
    {
        if (_isLoaded)
            return;
        lock (Loading)
        {
            if (!IsLoaded(LibTorch))
                LoadLibTorch();
            if (!IsLoaded(Shim))
                LoadShim();
            _isLoaded = true;
        }
    }

    /// <summary>Whether someone before us has loaded the library: a script that used <c>torch</c> first. Theirs stays.</summary>
    private static bool IsLoaded(string library) => LoadedFrom(NativeFolders.FileName(library)) is not null;

    /// <summary>The folder that a library of this process was loaded from; null if none has that file name.</summary>
    private static string? LoadedFrom(string file)
    {
        using var process = Process.GetCurrentProcess();
        var module = process.Modules.Cast<ProcessModule>().FirstOrDefault(module => module.ModuleName == file);
        return Path.GetDirectoryName(module?.FileName);
    }

    private static void LoadLibTorch()
    {
        var folder = LibTorchFolder();
        foreach (var path in LibTorchParts.Select(part => Path.Combine(folder, NativeFolders.FileName(part))).Where(File.Exists))
            LoadFile(path, path => NativeLibrary.Load(path));
    }

    private static string LibTorchFolder()
    {
        var file = NativeFolders.FileName(LibTorch);
        if (Environment.GetEnvironmentVariable(FolderVariable) is { Length: > 0 } named)
            return NamedFolder(named, file);
        var version = NativeFolders.BuiltWith("LibTorch");
        var folders = NativeFolders.Candidates(NativeFolders.LibTorchPackage, version);
        if (folders.FirstOrDefault(folder => File.Exists(Path.Combine(folder, file))) is { } found)
            return found;
        if (NativeLibrary.TryLoad(file, out _) && LoadedFrom(file) is { } system)
            return system;
        throw new InputException(
            $"libtorch was not found: no {file} in {string.Join(", ", folders)}, nor where the system's loader looks. Either add the NuGet "
                + $"package {NativeFolders.LibTorchPackage} {version} to the program, or set {FolderVariable} to a folder with libtorch, such "
                + "as the torch/lib of a PyTorch install."
        );
    }

    private static string NamedFolder(string named, string file)
    {
        if (!File.Exists(Path.Combine(named, file)))
        {
            throw new InputException(
                $"{FolderVariable} is '{named}', which holds no {file}; set it to a folder with libtorch, such as the torch/lib of a PyTorch "
                    + "install, or unset it."
            );
        }
        var folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(named));
        // TorchSharp's search would load the program's own libtorch on top, and two in one process abort it.
        var own = NativeFolders.SearchedByTorchSharp().FirstOrDefault(own => File.Exists(Path.Combine(own, file)));
        return own is null || own == folder
            ? folder
            : throw new InputException(
                $"{FolderVariable} is '{named}', but the program carries its own libtorch in '{own}' and only one can be loaded; unset the "
                    + "variable, or build the program without libtorch (dotnet build -p:LibTorch=none)."
            );
    }

    private static void LoadShim()
    {
        var file = NativeFolders.FileName(Shim);
        var version = NativeFolders.BuiltWith("TorchSharp");
        var folders = NativeFolders.Candidates("TorchSharp", version);
        var folder =
            folders.FirstOrDefault(folder => File.Exists(Path.Combine(folder, file)))
            ?? throw new InputException(
                $"TorchSharp's native library was not found: no {file} in {string.Join(", ", folders)}. Add the NuGet package TorchSharp "
                    + $"{version} to the program; it has libraries for linux-x64, win-x64, win-arm64 and osx-arm64, this process is "
                    + $"{NativeFolders.RuntimeIdentifier}."
            );
        LoadFile(Path.Combine(folder, file), TorchSharpShim.Load);
    }

    private static void LoadFile(string path, Action<string> load)
    {
        try
        {
            load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or InvalidDataException)
        {
            throw CannotLoad(path, e);
        }
    }

    /// <summary>The loader's reason is the last line of .NET's message; for a foreign architecture it would only say "not found".</summary>
    internal static InputException CannotLoad(string path, Exception error)
    {
        const ushort x64 = 62;
        const ushort arm64 = 183;
        var header = new byte[20];
        using (var file = File.OpenRead(path))
            file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        var own = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? arm64 : x64;
        var reason =
            OperatingSystem.IsLinux() && ElfLibrary.Machine(header) is { } machine && machine != own
                ? $"it is built for {(machine == arm64 ? "arm64" : machine == x64 ? "x64" : $"ELF machine {machine}")}, this process is "
                    + $"{NativeFolders.RuntimeIdentifier}"
                : error.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[^1];
        return new InputException($"The native library {path} cannot be loaded: {reason}", error);
    }
}
