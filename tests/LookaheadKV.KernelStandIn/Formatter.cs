namespace Microsoft.DotNet.Interactive.Formatting;

/// <summary>Formatters by type and media type; the one registered last goes first.</summary>
public static class Formatter
{
    private static readonly List<(Type Type, string Mime, Action<object, TextWriter> Write)> Registered = [];

    /// <summary>Registers a formatter of a type and of what derives from it.</summary>
    public static void Register(Type type, Action<object, TextWriter> formatter, string mimeType = "text/plain") =>
        Registered.Insert(0, (type, mimeType, formatter));

    /// <summary>Registers a formatter of a type; here only so that the methods of this name are more than one.</summary>
    public static void Register<T>(Func<T, string> formatter, string mimeType = "text/plain") =>
        Register(typeof(T), (value, writer) => writer.Write(formatter((T)value)), mimeType);

    /// <summary>A value as text of a media type; null where nothing is registered for it.</summary>
    public static string? Format(object value, string mimeType)
    {
        var (_, _, write) = Registered.FirstOrDefault(entry => entry.Mime == mimeType && entry.Type.IsInstanceOfType(value));
        if (write is null)
            return null;
        var text = new StringWriter();
        write(value, text);
        return text.ToString();
    }
}
