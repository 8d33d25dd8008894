using System.Globalization;
using System.Reflection;
using System.Runtime.Loader;
using LookaheadKV.Eviction;
using LookaheadKV.Files;
using LookaheadKV.Scoring;

namespace LookaheadKV.Methods;

/// <summary>Scorers that someone has written: the public classes of an assembly that implement one of the scorer interfaces.</summary>
public sealed class OwnScorers
{
    private static readonly Type[] Interfaces = [typeof(IPromptScorer), typeof(IObserverScorer), typeof(IWholePromptScorer)];
    private readonly IReadOnlyList<OwnScorer> _scorers;

    private OwnScorers(IReadOnlyList<OwnScorer> scorers)
    {
        _scorers = scorers;
    }

    /// <summary>Names of the classes.</summary>
    public IReadOnlyList<string> Names => [.. _scorers.Select(scorer => scorer.Type.Name)];

    /// <summary>Loads assemblies. What they reference is this program's where it has it, else it lies beside them.</summary>
    /// <param name="paths">The assemblies' files.</param>
    /// <exception cref="InputException">A file is not there, is no assembly for this runtime, needs what is not there, or holds no scorer.</exception>
    public static OwnScorers Load(params IEnumerable<string> paths) => new([.. paths.SelectMany(Read)]);

    /// <summary>The scorer whose class has this name, short or full; null where there is none.</summary>
    /// <exception cref="InputException">Several classes have it.</exception>
    public OwnScorer? Find(string name)
    {
        OwnScorer[] found = [.. _scorers.Where(scorer => scorer.Type.FullName == name)];
        if (found.Length == 0)
            found = [.. _scorers.Where(scorer => scorer.Type.Name.Equals(name, StringComparison.OrdinalIgnoreCase))];
        return found.Length > 1
            ? throw new InputException(
                $"several scorers are called {name}: {string.Join(", ", found.Select(scorer => scorer.Type.FullName))}; give the full name."
            )
            : found.FirstOrDefault();
    }

    private static OwnScorer[] Read(string path)
    {
        if (!File.Exists(path))
            throw new InputException($"{path}: no such file; give the assembly (.dll) of your scorers.");
        try
        {
            var full = Path.GetFullPath(path);
            var beside = new AssemblyDependencyResolver(full);
            var context = new AssemblyLoadContext(Path.GetFileName(path));
            // Asked only for what this program has not got, so that a scorer's LookaheadKV is this one.
            context.Resolving += (_, name) => beside.ResolveAssemblyToPath(name) is { } file ? context.LoadFromAssemblyPath(file) : null;
            OwnScorer[] scorers =
            [
                .. context
                    .LoadFromAssemblyPath(full)
                    .GetExportedTypes()
                    .Where(type =>
                        type is { IsAbstract: false, ContainsGenericParameters: false } && Interfaces.Any(i => i.IsAssignableFrom(type))
                    )
                    .Select(type => new OwnScorer(type)),
            ];
            return scorers.Length > 0
                ? scorers
                : throw new InputException(
                    $"{path}: holds no public class that implements {string.Join(", ", Interfaces.Select(i => i.Name))}; write one (docs/add-a-method.md)."
                );
        }
        catch (Exception e) when (e is BadImageFormatException or IOException or TypeLoadException or ReflectionTypeLoadException)
        {
            throw new InputException(
                $"{path}: cannot be loaded ({Quoting.OneLine(e.Message)}); build it for .NET {Environment.Version.Major} against this LookaheadKV.",
                e
            );
        }
    }
}

/// <summary>A scorer's class; what its constructors ask for are the options that a policy's text may give.</summary>
/// <param name="Type">The class.</param>
public sealed record OwnScorer(Type Type)
{
    private static readonly Type[] Kinds = [typeof(int), typeof(long), typeof(double), typeof(float), typeof(bool), typeof(string)];

    /// <summary>The class as a method: its short name, nothing smoothed or protected, options that are its constructors'.</summary>
    public Method Method
    {
        get
        {
            ConstructorOption[] options = [.. Keys.Select(key => new ConstructorOption(key, Signatures()))];
            return new(new EvictionPolicy { Name = Type.Name })
            {
                Keeps = $"what {Type.FullName} scores highest",
                Parameters = options,
                Scorer = given =>
                    Create(
                        options
                            .Where(option => given.Of(option) is not null)
                            .ToDictionary(option => option.Name, option => given.Of(option)!)
                    ),
            };
        }
    }

    private IEnumerable<ConstructorInfo> Constructors =>
        Type.GetConstructors().Where(made => made.GetParameters().All(parameter => Kinds.Contains(parameter.ParameterType)));

    /// <summary>Names of the options, in lower case.</summary>
    public IReadOnlyList<string> Keys => [.. Constructors.SelectMany(made => made.GetParameters()).Select(Key).Distinct()];

    /// <summary>Makes the scorer.</summary>
    /// <param name="options">Values by name; what is not given takes the constructor's default.</param>
    /// <exception cref="InputException">No constructor takes these, a value is not of its type, or the constructor refuses it.</exception>
    public IScorer Create(IReadOnlyDictionary<string, string> options)
    {
        var fitting = Constructors
            .Where(made => options.Keys.All(key => made.GetParameters().Any(p => Key(p) == key)))
            .Where(made => made.GetParameters().All(p => p.HasDefaultValue || options.ContainsKey(Key(p))))
            .MinBy(made => made.GetParameters().Length);
        if (fitting is null)
            throw new InputException(
                $"{Type.Name} cannot be made from {(options.Count == 0 ? "nothing" : string.Join(", ", options.Keys))}; its constructors are {Signatures()}."
            );
        object?[] values =
        [
            .. fitting.GetParameters().Select(p => options.TryGetValue(Key(p), out var text) ? Value(p, text) : p.DefaultValue),
        ];
        try
        {
            return (IScorer)fitting.Invoke(values);
        }
        catch (TargetInvocationException e) when (e.InnerException is { } cause)
        {
            throw new InputException($"{Type.Name} refuses its options: {Quoting.OneLine(cause.Message)}", cause);
        }
    }

    private static string Key(ParameterInfo parameter) => parameter.Name!.ToLowerInvariant();

    private static object Value(ParameterInfo parameter, string text)
    {
        try
        {
            return Convert.ChangeType(text, parameter.ParameterType, CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new InputException($"{Key(parameter)}={text} is not allowed; {Written(parameter)} is what its constructor takes.", e);
        }
    }

    private string Signatures() =>
        Constructors.Any()
            ? string.Join(" or ", Constructors.Select(made => $"({string.Join(", ", made.GetParameters().Select(Written))})"))
            : "none of numbers, truth values and texts alone";

    private static string Written(ParameterInfo parameter) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{parameter.ParameterType.Name} {Key(parameter)}{(parameter.HasDefaultValue ? $" = {parameter.DefaultValue}" : "")}"
        );

    /// <summary>An option as it is written: of which type it is, only the constructor that takes all of them says.</summary>
    private sealed record ConstructorOption(string Name, string Constructors)
        : Parameter<string?>(Name, null, "what the constructor calls so")
    {
        public override string Allowed => $"what one of {Constructors} takes";

        public override object? Read(string text) => text;
    }
}
