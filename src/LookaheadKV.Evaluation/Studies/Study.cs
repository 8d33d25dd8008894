using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using LookaheadKV.Files;

namespace LookaheadKV.Evaluation.Studies;

/// <summary>One cell of a study: settings and a seed, of which its result is a pure function.</summary>
/// <param name="Settings">Everything but the seed.</param>
/// <param name="Varied">Those settings that differ between the cells, as the study file writes them: name → value.</param>
/// <param name="Seed">Seed of the modules' start, the training's prompts and the measured ones.</param>
public sealed record StudyCell(CellSettings Settings, IReadOnlyDictionary<string, string> Varied, long Seed)
{
    /// <summary>A name for the cell's result, made of all that the result depends on; cells of other studies may share it.</summary>
    /// <param name="model">What tells the model from others, its folder's fingerprint and dtype.</param>
    public string Key(string model)
    {
        var text = $"{model}\n{JsonSerializer.Serialize(Settings, Study.Json)}\n{Seed}";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..20];
    }
}

/// <summary>
/// A grid of cells: the defaults, with each variant, with each combination of the grid's values, with each seed. As JSON:
/// <c>{"name", "model", "seeds": [0, 1, 2], "defaults": {…}, "variants": [{…}, …], "grid": {"rank": [0, 8], …}}</c>, where all but the
/// name and the seeds may be missing and settings are those of <see cref="CellSettings"/>.
/// </summary>
/// <param name="Name">Its name.</param>
/// <param name="Model"><c>nano</c> or a Hugging Face folder.</param>
/// <param name="Cells">The cells: seed by seed, so that a study that was cut short is balanced.</param>
public sealed record Study(string Name, string Model, IReadOnlyList<StudyCell> Cells)
{
    private const string Wanted = "a study: a JSON object with name, seeds and, if need be, model, defaults, variants and grid";

    internal static JsonSerializerOptions Json { get; } =
        new()
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            AllowDuplicateProperties = false,
            UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
            Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower, allowIntegerValues: false) },
        };

    private sealed record File(
        string? Name,
        string? Model,
        IReadOnlyList<long>? Seeds,
        JsonObject? Defaults,
        IReadOnlyList<JsonObject>? Variants,
        IReadOnlyDictionary<string, IReadOnlyList<JsonNode>>? Grid
    );

    /// <summary>Reads a study file.</summary>
    /// <exception cref="InputException">It cannot be read, is no study, or a cell's settings cannot be run.</exception>
    public static Study Read(string path)
    {
        var file = JsonFile.Read<File>(path, Wanted, Json);
        try
        {
            return Of(file);
        }
        catch (InputException e)
        {
            throw new InputException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>A study of JSON text.</summary>
    /// <exception cref="InputException">It is no study, or a cell's settings cannot be run.</exception>
    public static Study Parse(string json) => Of(new JsonText("the study", Encoding.UTF8.GetBytes(json)).As<File>(Wanted, Json));

    private static Study Of(File file)
    {
        if (string.IsNullOrWhiteSpace(file.Name))
            throw new InputException("a study needs a \"name\".");
        if (file.Seeds is not { Count: > 0 } seeds || seeds.Distinct().Count() < seeds.Count)
            throw new InputException("a study needs \"seeds\", none twice, such as [0, 1, 2].");
        var overrides = Overrides(file).ToList();
        string[] varied = [.. overrides.SelectMany(one => one.Select(entry => entry.Key)).Distinct()];
        var settings = overrides.Select(one => Settings(file.Defaults, one)).ToList();
        if (settings.Select(one => JsonSerializer.Serialize(one, Json)).Distinct().Count() < settings.Count)
            throw new InputException("two of the grid's combinations are the same; leave one out.");
        return new Study(
            file.Name,
            file.Model ?? "nano",
            [.. seeds.SelectMany(seed => settings.Select(one => new StudyCell(one, Varied(one, varied), seed)))]
        );
    }

    // A variant's own value beats the grid's.
    private static IEnumerable<JsonObject> Overrides(File file)
    {
        IEnumerable<JsonObject> combinations = [new JsonObject()];
        foreach (var (name, values) in file.Grid ?? new Dictionary<string, IReadOnlyList<JsonNode>>())
            combinations =
            [
                .. combinations.SelectMany(one => values.Select(value => With(one, new JsonObject { [name] = value?.DeepClone() }))),
            ];
        return (file.Variants ?? [new JsonObject()]).SelectMany(variant => combinations.Select(one => With(one, variant)));
    }

    private static JsonObject With(JsonObject settings, JsonObject changes)
    {
        var all = (JsonObject)settings.DeepClone();
        foreach (var (name, value) in changes)
            all[name] = value?.DeepClone();
        return all;
    }

    private static CellSettings Settings(JsonObject? defaults, JsonObject changes)
    {
        try
        {
            var settings = With(defaults ?? [], changes).Deserialize<CellSettings>(Json)!;
            settings.Check();
            return settings;
        }
        catch (Exception e) when (e is InputException or JsonException)
        {
            throw new InputException($"the cell {changes.ToJsonString(Json)}: {Quoting.OneLine(e.Message)}", e);
        }
    }

    /// <summary>All settings of a cell as the study file writes them: name → value.</summary>
    internal static Dictionary<string, string> Texts(CellSettings settings) =>
        JsonSerializer.SerializeToNode(settings, Json)!.AsObject().ToDictionary(entry => entry.Key, entry => Text(entry.Value));

    private static Dictionary<string, string> Varied(CellSettings settings, IEnumerable<string> names)
    {
        var all = Texts(settings);
        return names.ToDictionary(name => name, name => all[name]);
    }

    private static string Text(JsonNode? value) =>
        value switch
        {
            JsonArray array => string.Join(' ', array.Select(Text)),
            JsonValue one when one.GetValueKind() == JsonValueKind.String => one.GetValue<string>(),
            null => "",
            _ => value.ToJsonString(),
        };
}
