package holdfast.e2e;

import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.lang.classfile.constantpool.MethodTypeEntry;
import java.lang.classfile.constantpool.NameAndTypeEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Finds the classes and methods in a class file through which it could do more than compute. */
final class Purity {

  private static final Pattern FORBIDDEN_CLASS =
      Pattern.compile(
          """
          java\\.io\\..*
          |java\\.net\\..*
          |java\\.nio\\.(file|channels)\\..*
          |java\\.lang\\.Thread.*
          |java\\.util\\.concurrent\\..*
          |java\\.util\\.(Random|SplittableRandom)
          |java\\.util\\.random\\..*
          |java\\.security\\.SecureRandom
          |java\\.time\\.Clock
          """,
          Pattern.COMMENTS);

  private static final Pattern FORBIDDEN_METHOD =
      Pattern.compile(
          """
          java\\.lang\\.System\\.(nanoTime|currentTimeMillis)
          |java\\.lang\\.Math\\.random
          |java\\.util\\.UUID\\.randomUUID
          |java\\.time\\..*\\.now
          """,
          Pattern.COMMENTS);

  /** Named in every enum, exception or serializable lambda; they do nothing. */
  private static final Set<String> ALLOWED =
      Set.of("java.io.Serializable", "java.io.ObjectStreamException");

  private static final Pattern CLASS_IN_DESCRIPTOR = Pattern.compile("L([^;<]+);");

  private Purity() {}

  /** Returns one line per forbidden class or method, "class uses what", sorted. */
  static List<String> check(byte[] classFile) {
    ClassModel model = ClassFile.of().parse(classFile);
    Set<String> found = new TreeSet<>();
    for (PoolEntry entry : model.constantPool()) {
      switch (entry) {
        case ClassEntry type -> addClass(type.asInternalName(), found);
        case NameAndTypeEntry member -> addDescriptor(member.type().stringValue(), found);
        case MethodTypeEntry type -> addDescriptor(type.descriptor().stringValue(), found);
        case MemberRefEntry member -> addMethod(member, found);
        default -> {}
      }
    }
    model.fields().forEach(field -> addDescriptor(field.fieldType().stringValue(), found));
    model.methods().forEach(method -> addDescriptor(method.methodType().stringValue(), found));

    String user = model.thisClass().asInternalName().replace('/', '.');
    return found.stream().map(used -> user + " uses " + used).toList();
  }

  private static void addClass(String internalNameOrArray, Set<String> found) {
    if (internalNameOrArray.startsWith("[")) {
      addDescriptor(internalNameOrArray, found);
      return;
    }
    String name = internalNameOrArray.replace('/', '.');
    if (FORBIDDEN_CLASS.matcher(name).matches() && !ALLOWED.contains(name)) {
      found.add(name);
    }
  }

  private static void addDescriptor(String descriptor, Set<String> found) {
    Matcher types = CLASS_IN_DESCRIPTOR.matcher(descriptor);
    while (types.find()) {
      addClass(types.group(1), found);
    }
  }

  private static void addMethod(MemberRefEntry member, Set<String> found) {
    String name =
        member.owner().asInternalName().replace('/', '.') + "." + member.name().stringValue();
    if (FORBIDDEN_METHOD.matcher(name).matches()) {
      found.add(name);
    }
  }
}
